//! Idempotency keys, where the server honours them: a request that is sent again under its key is the same request,
//! whatever happened to the server in between.

use super::load::Sent;
use crate::cli::api::Accepted;
use crate::cli::bench::instant::Instant;
use crate::cli::bench::random::Random;
use crate::cli::client::Client;
use crate::cli::error::Error;
use crate::cli::request::Request;
use crate::model::names::InvocationId;

const HEADER: &str = "idempotency-key";

/// A key that a client used, and what it was answered.
#[derive(Clone, Debug)]
pub(in crate::cli::bench) struct Used {
    pub(in crate::cli::bench) key: String,
    pub(in crate::cli::bench) sent: Sent,
    pub(in crate::cli::bench) id: InvocationId,
    pub(in crate::cli::bench) at: Instant,
}

/// The keys that clients used.
#[derive(Clone, Debug, Default)]
pub(in crate::cli::bench) struct Keys {
    honoured: bool,
    pub(in crate::cli::bench) used: Vec<Used>,
    /// Answers that named another invocation than the first one did.
    pub(in crate::cli::bench) broken: Vec<(InvocationId, String)>,
}

impl Keys {
    /// Finds out whether the server honours them: it then answers a request that is sent again with the same id. One
    /// that knows no keys refuses them, or answers with another id.
    pub(in crate::cli::bench) async fn probe(client: &Client, random: &mut Random) -> Result<Self, Error> {
        let (key, sent) = (name(random), Sent::Chain);
        let ask = async || client.json::<Accepted>(with(sent.request(client), Some(&key))).await;
        let id = match ask().await {
            Ok(first) => first.value.id,
            Err(Error::Refused(_)) => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        let honoured = ask().await?.value.id == id;
        let used = Used { key: key.clone(), sent, id, at: Instant::now() };
        Ok(Self { honoured, used: if honoured { vec![used] } else { Vec::new() }, broken: Vec::new() })
    }

    /// What is sent under which key: now and then a new one, now and then one of before with what it was sent with.
    pub(super) fn draw(&self, random: &mut Random, sent: Sent) -> (Sent, Option<String>) {
        if !self.honoured || sent == Sent::Poison {
            return (sent, None);
        }
        match random.within(&(0..=9)) {
            0 => (sent, Some(name(random))),
            1 if !self.used.is_empty() => {
                let last = self.used.len() as u64 - 1;
                let used = &self.used[usize::try_from(random.within(&(0..=last))).unwrap_or_default()];
                (used.sent, Some(used.key.clone()))
            }
            _ => (sent, None),
        }
    }

    /// Takes up an answer.
    pub(in crate::cli::bench) fn answered(&mut self, key: String, sent: Sent, id: InvocationId) {
        match self.used.iter().find(|used| used.key == key) {
            None => self.used.push(Used { key, sent, id, at: Instant::now() }),
            Some(used) if used.id == id => (),
            Some(used) => {
                self.broken.push((used.id, format!("its key was used again, and that led to another one: {id}")));
            }
        }
    }
}

/// The request under a key.
pub(in crate::cli::bench) fn with(request: Request, key: Option<&str>) -> Request {
    match key {
        Some(key) => request.header(HEADER, key),
        None => request,
    }
}

fn name(random: &mut Random) -> String {
    format!("{:016x}", random.number())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_leads_to_another_invocation_is_found() {
        let (mut keys, id) = (Keys { honoured: true, ..Keys::default() }, InvocationId::from_bytes([1; 16]));
        keys.answered("k".to_owned(), Sent::Chain, id);
        keys.answered("k".to_owned(), Sent::Chain, id);
        assert_eq!((keys.used.len(), keys.broken.len()), (1, 0));
        keys.answered("k".to_owned(), Sent::Chain, InvocationId::from_bytes([2; 16]));
        assert_eq!((keys.used.len(), keys.broken.len(), keys.broken[0].0), (1, 1, id));
    }

    #[test]
    fn keys_are_drawn_anew_and_again_where_the_server_honours_them() {
        let (mut keys, mut random) = (Keys { honoured: true, ..Keys::default() }, Random::new(1));
        keys.answered("k".to_owned(), Sent::Doomed, InvocationId::from_bytes([1; 16]));
        let drawn: Vec<_> = (0..200).map(|_| keys.draw(&mut random, Sent::Chain)).collect();
        assert!(drawn.contains(&(Sent::Doomed, Some("k".to_owned()))));
        assert!(drawn.iter().any(|(sent, key)| *sent == Sent::Chain && key.is_some()));
        assert!((0..200).all(|_| Keys::default().draw(&mut random, Sent::Chain) == (Sent::Chain, None)));
    }
}
