//! The real program as a child of the test: what it promises to people and programs, over real sockets, through
//! restarts and `kill -9`. Each server has a folder and a port of its own.

mod support;

mod access;
mod bulk;
mod calling;
mod cancelling;
mod chains;
mod clients;
mod clocks;
mod command_line;
mod compiling;
mod connections;
mod cycles;
mod damage;
mod destinations;
mod directories;
mod disk;
mod engines;
mod full_queues;
mod hostile;
mod invoking;
mod key_value;
mod listing;
mod message_queues;
mod metrics;
mod new;
mod objects;
mod openapi;
mod outbound;
mod plan;
mod queues;
mod restarts;
mod retries;
mod secrets;
mod services;
mod slow_clients;
mod streams;
mod topics;
mod triggers;
mod triggers_of_queues;
mod typed;
mod versions;
mod webhooks;
mod wrong_changes;
mod wrong_input;
