//! Room in memory for the bodies of requests, of all that there are together: it is taken as they arrive, never because
//! somebody announces one. Whose body it is does not matter, and what becomes of it neither.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of a body that needs none, on a connection with one request at a time: as many connections as there may be have
/// room for that much each, and most requests cost no look at what the others take.
const SMALL: usize = 16 * 1_024;

/// Room for so many bytes. All clones are the same.
#[derive(Clone)]
pub(super) struct Room {
    all: Arc<All>,
    /// Bytes of a body that needs none.
    small: usize,
}

struct All {
    bytes: usize,
    taken: AtomicUsize,
}

/// There is not as much.
#[derive(Debug, thiserror::Error)]
#[error("bodies of requests take all of the {0} bytes that there are for them: come again")]
pub(super) struct NoRoom(usize);

/// What a body has taken of a room: it is given back with this. Only its body takes more.
pub(super) struct Taken {
    room: Option<Room>,
    arrived: AtomicUsize,
    /// How much of that is taken.
    held: AtomicUsize,
}

impl Room {
    pub(super) fn new(bytes: usize) -> Self {
        Self { all: Arc::new(All { bytes, taken: AtomicUsize::new(0) }), small: SMALL }
    }

    /// The same room for connections that have up to `calls` requests at a time: what needs none is divided among those.
    pub(super) fn among(&self, calls: usize) -> Self {
        Self { all: self.all.clone(), small: self.small / calls }
    }

    /// Nothing yet.
    pub(super) fn taken(&self) -> Taken {
        Taken::of(Some(self.clone()))
    }
}

impl Taken {
    /// Of no room, so there is always enough.
    pub(super) const fn nothing() -> Self {
        Self::of(None)
    }

    const fn of(room: Option<Room>) -> Self {
        Self { room, arrived: AtomicUsize::new(0), held: AtomicUsize::new(0) }
    }

    /// Takes room for bytes that have arrived, if there is as much.
    pub(super) fn more(&self, bytes: usize) -> Result<(), NoRoom> {
        let arrived = self.arrived.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let Some(Room { all, small }) = &self.room else { return Ok(()) };
        if arrived <= *small {
            return Ok(());
        }
        let wanted = arrived - self.held.load(Ordering::Relaxed);
        // Counted first, so that of two who want the last of it not both get it.
        if all.taken.fetch_add(wanted, Ordering::Relaxed) + wanted > all.bytes {
            all.taken.fetch_sub(wanted, Ordering::Relaxed);
            return Err(NoRoom(all.bytes));
        }
        self.held.store(arrived, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(Room { all, .. }) = &self.room {
            all.taken.fetch_sub(*self.held.get_mut(), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_bodies_need_no_room_and_others_give_it_back() {
        let room = Room::new(2 * SMALL);
        let (large, other, small) = (room.taken(), room.taken(), room.taken());
        large.more(SMALL).unwrap();
        large.more(SMALL).unwrap();
        assert!(other.more(SMALL + 1).is_err());
        small.more(SMALL).unwrap();
        assert!(small.more(1).is_err());
        drop(large);
        assert!(other.more(0).is_ok());
        drop((other, small));
        room.taken().more(2 * SMALL).unwrap();
    }

    #[test]
    fn the_calls_of_a_connection_together_have_no_more_without_room_than_a_request_alone() {
        let room = Room::new(0);
        room.taken().more(SMALL).unwrap();
        let of_calls = room.among(64);
        of_calls.taken().more(SMALL / 64).unwrap();
        assert!(of_calls.taken().more(SMALL / 64 + 1).is_err());
    }
}
