//! `bench`: starts servers of its own, treats them badly, and tells what that did. A server is this same program
//! as a process of its own, so that it can be killed; what it did is read over HTTP and from its log. `queue` and
//! `peers` measure the durable queue without a server.
//!
//! | file or folder | decides                                             |
//! | -------------- | --------------------------------------------------- |
//! | `random`       | what is drawn, so that a seed draws the same again  |
//! | `instant`      | when something was seen, to the nanosecond          |
//! | `guests`       | the modules                                         |
//! | `deployed`     | how a function is deployed                          |
//! | `child`        | the process                                         |
//! | `memory`       | what the system says of a process's memory          |
//! | `usage`        | and of its processor time and its disk              |
//! | `histogram`    | how often something took how long                   |
//! | `latency`      | the same exactly, where there are few               |
//! | `trend`        | whether something grows                             |
//! | `load`         | clients in closed loops, and what is seen of them   |
//! | `wire`         | a connection for protocols written by hand          |
//! | `caller`       | one that sends a server the same request on and on  |
//! | `bare`         | a server that does nothing, to measure others with  |
//! | `metrics`      | what a server tells of itself                       |
//! | `plain_log`    | what the queue is measured against                  |
//! | `crash`        | `bench crash`: is a promise broken by a crash?      |
//! | `power`        | `bench power-cut`: is a promise broken by one?      |
//! | `neighbours`   | `bench neighbours`: does a bad one slow a good one? |
//! | `flood`        | `bench flood`: is one delayed by many of another?   |
//! | `overload`     | `bench overload`: what if ever too much is asked?   |
//! | `queue`        | `bench queue`: how fast is the durable queue?       |
//! | `http`         | `bench http`: and how fast over HTTP?               |
//! | `peers`        | `bench peers`: and how fast are others?             |
//! | `invoke`       | `bench invoke`: how fast are functions?             |
//! | `messages`     | `bench messages`: and messages, and deliveries?     |

mod instant;
mod random;

mod histogram;
mod latency;
mod memory;
mod usage;

mod load;
mod trend;

mod wire;

mod caller;
mod metrics;

mod plain_log;

mod guests;

mod deployed;

mod child;

mod bare;

mod crash;
mod neighbours;
mod power;

mod queue;

mod flood;
mod http;
mod invoke;
mod messages;
mod overload;
mod peers;

use clap::Subcommand;

use super::error::Error;
use super::output::Output;

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    /// Kill a server again and again, and count what was lost or done twice: each count is to be 0
    Crash(crash::Crash),
    /// Cut a server's power, as far as its files can tell, and count what was lost: each count is to be 0
    PowerCut(power::PowerCut),
    /// Measure how much hostile functions slow down one that is not
    Neighbours(neighbours::Neighbours),
    /// Measure how long many that wait for one function delay a single invocation of another
    Flood(flood::Flood),
    /// Offer a server many times what it can do, and check what it says, its memory and its counts
    Overload(overload::Overload),
    /// Measure the durable queue in this process, against a plain log that syncs as often
    Queue(queue::Queue),
    /// Measure durable acceptances over HTTP, against the same answer without the disk
    Http(http::Http),
    /// Measure other durable queues beside this one; `benches/peers` starts them
    Peers(peers::Peers),
    /// Measure functions called over HTTP, against a server that does nothing else
    Invoke(Box<invoke::Invoke>),
    /// Measure message queues, streams and deliveries to webhooks over HTTP, and what a long queue holds in memory
    Messages(messages::Messages),
    /// The server that functions are measured against: runs until it is killed
    #[command(hide = true)]
    BareHttp,
    /// A part of a bench, in a process of its own
    #[command(hide = true, subcommand)]
    QueuePart(queue::part::Part),
}

impl Command {
    pub(super) async fn run(self, output: Output) -> Result<(), Error> {
        match self {
            Self::Crash(crash) => crash.run(output).await,
            Self::PowerCut(cut) => cut.run(output).await,
            Self::Neighbours(neighbours) => neighbours.run(output).await,
            Self::Flood(flood) => flood.run(output).await,
            Self::Overload(overload) => overload.run(output).await,
            Self::Queue(queue) => queue.run(output).await,
            Self::Http(http) => http.run(output).await,
            Self::Peers(peers) => peers.run(output).await,
            Self::Invoke(invoke) => invoke.run(output).await,
            Self::Messages(messages) => messages.run(output).await,
            Self::BareHttp => bare::run().await,
            Self::QueuePart(part) => part.run().await,
        }
    }
}
