//! The line's rules, one sentence each. What holds however they are mixed is in `model_tests`.

use super::*;
use crate::model::names::VersionNumber;
use crate::model::place::Priority;

fn at(ms: u64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn lane(function: u8, version: u32, priority: Priority) -> Lane {
    Lane { function: FunctionId::new(at(0), [function; 10]), version: VersionNumber::new(version), priority }
}

fn place(function: u8, n: u16, due: u64) -> Place {
    let mut bytes = [0; 10];
    bytes[8..].copy_from_slice(&n.to_be_bytes());
    let id = InvocationId::new(at(0), bytes);
    Place { id, lane: lane(function, 1, Priority::Normal), due: at(due), expires: at(due + 10_000) }
}

fn of(place: Place, version: u32, priority: Priority) -> Place {
    Place { lane: Lane { version: VersionNumber::new(version), priority, ..place.lane }, ..place }
}

fn take(line: &mut Line, now: u64) -> Option<Place> {
    line.take(at(now), |_| Ok(())).map(|(place, ())| place)
}

fn taken(line: &mut Line, now: u64, times: usize) -> Vec<Place> {
    (0..times).filter_map(|_| take(line, now)).collect()
}

/// A line of small windows: four places of a lane in memory.
fn small() -> Line {
    Line { windows: Windows { total: 8, least: 4, most: 4 }, ..Line::default() }
}

#[test]
fn functions_take_turns_however_much_one_of_them_has_waiting() {
    let mut line = Line::default();
    (0..100).for_each(|n| line.insert(place(1, n, 1 + u64::from(n))));
    line.insert(place(2, 200, 50));
    line.insert(place(3, 201, 50));
    let order: Vec<_> = taken(&mut line, 1_000, 4).into_iter().map(|place| place.due).collect();
    assert_eq!(order, [at(1), at(50), at(50), at(2)]);
}

#[test]
fn a_function_that_comes_anew_goes_before_twenty_that_have_been_busy() {
    let mut line = Line::default();
    for function in 1..=20 {
        (0..50).for_each(|n| line.insert(place(function, n + 100 * u16::from(function), 1)));
    }
    taken(&mut line, 10, 47);
    line.insert(place(21, 9_999, 5));
    assert_eq!(take(&mut line, 10), Some(place(21, 9_999, 5)));
}

#[test]
fn a_function_has_one_share_however_many_versions_and_priorities_it_has() {
    let mut line = Line::default();
    for n in 0..40 {
        line.insert(of(place(1, n, 1), 1 + u32::from(n % 7), Priority::ALL[usize::from(n % 3)]));
        line.insert(place(2, 100 + n, 1));
    }
    let first = taken(&mut line, 10, 20);
    assert_eq!(first.iter().filter(|taken| taken.lane.function == place(1, 0, 0).lane.function).count(), 10);
}

#[test]
fn of_twelve_turns_eight_go_to_high_three_to_normal_and_one_to_low() {
    let mut line = Line::default();
    for n in 0..100 {
        for priority in Priority::ALL {
            line.insert(of(place(1, n + 100 * priority as u16, 1), 1, priority));
        }
    }
    let first = taken(&mut line, 10, 24);
    let count = |priority| first.iter().filter(|taken| taken.lane.priority == priority).count();
    assert_eq!(Priority::ALL.map(count), [16, 6, 2]);
    assert_eq!(first[0].lane.priority, Priority::High);
}

#[test]
fn versions_of_a_function_take_turns() {
    let mut line = Line::default();
    (0..10).for_each(|n| line.insert(place(1, n, 1)));
    line.insert(of(place(1, 50, 9), 2, Priority::Normal));
    assert_eq!(taken(&mut line, 10, 2)[1].lane.version, VersionNumber::new(2));
}

#[test]
fn nothing_is_taken_before_it_is_due_and_the_line_says_when_to_look_again() {
    let mut line = Line::default();
    line.insert(place(1, 1, 500));
    assert_eq!(take(&mut line, 499), None);
    assert_eq!(line.next_look(at(499)), Some(at(500)));
    assert_eq!(take(&mut line, 500), Some(place(1, 1, 500)));
    assert_eq!((line.next_look(at(500)), line.len()), (None, 0));
}

#[test]
fn what_is_due_and_only_lacks_a_slot_is_no_reason_to_look_again_soon() {
    let mut line = Line::default();
    line.insert(place(1, 1, 1));
    assert_eq!(line.next_look(at(9)), Some(at(10_002)), "when it is too old");
    assert_eq!(line.next_look(at(20_000)), None, "it is to be settled, and whoever does that says when there is room");
}

#[test]
fn a_function_without_a_free_slot_is_asked_once_and_again_when_one_came_free() {
    let mut line = Line::default();
    (0..9).for_each(|n| line.insert(place(1, n, 1)));
    let mut asked = 0;
    for _ in 0..5 {
        assert!(
            line.take(at(9), |_| {
                asked += 1;
                Err::<(), _>(NoSlot::Function)
            })
            .is_none()
        );
    }
    assert_eq!(asked, 1);
    line.insert(place(2, 100, 1));
    assert_eq!(take(&mut line, 9), Some(place(2, 100, 1)), "others are not held up");
    line.freed(place(1, 0, 0).lane.function, None);
    assert_eq!(take(&mut line, 9), Some(place(1, 0, 1)));
}

#[test]
fn a_version_without_a_free_slot_does_not_hold_up_the_others_of_its_function() {
    let mut line = Line::default();
    let (full, other) = (place(1, 1, 1), of(place(1, 2, 2), 2, Priority::Normal));
    line.insert(full);
    line.insert(other);
    let fits = |place: &Place| if place.lane == full.lane { Err(NoSlot::Version) } else { Ok(()) };
    assert_eq!(line.take(at(9), fits).map(|(place, ())| place), Some(other));
    assert_eq!(take(&mut line, 9), None, "it is not asked again");
    line.freed(full.lane.function, full.lane.version);
    assert_eq!(take(&mut line, 9), Some(full));
}

#[test]
fn a_paused_function_keeps_its_place_and_what_is_too_old_is_still_found() {
    let mut line = Line::default();
    line.pause(place(1, 1, 0).lane.function, true);
    line.insert(place(1, 1, 1));
    assert_eq!((take(&mut line, 9), line.take_expired(at(9))), (None, None));
    assert_eq!(line.take_expired(at(10_002)), Some(place(1, 1, 1)));
    line.insert(place(1, 2, 1));
    line.pause(place(1, 1, 0).lane.function, false);
    assert_eq!(take(&mut line, 9), Some(place(1, 2, 1)));
}

#[test]
fn everything_of_a_removed_function_is_due_at_once() {
    let mut line = Line::default();
    line.insert(place(1, 1, 500));
    line.insert(of(place(1, 2, 700), 2, Priority::Low));
    line.function_removed(place(1, 1, 0).lane.function);
    assert_eq!(taken(&mut line, 10, 3).len(), 2);
}

#[test]
fn what_was_put_aside_is_not_looked_at_before_its_time_and_can_be_cancelled() {
    let mut line = Line::default();
    let (one, two) = (place(1, 1, 1), place(1, 2, 1));
    line.put_aside(one, at(50));
    line.put_aside(two, at(50));
    assert_eq!((take(&mut line, 49), line.next_look(at(49)), line.len()), (None, Some(at(50)), 2));
    assert!(line.remove(two.id).is_some());
    assert_eq!(take(&mut line, 50).map(|place| place.id), Some(one.id));
    assert_eq!((take(&mut line, 99), line.len()), (None, 0));
}

#[test]
fn when_nothing_can_be_worked_on_nothing_more_is_taken() {
    let mut line = Line::default();
    (0..u16::try_from(bounds::MAX_ASIDE).unwrap()).for_each(|n| line.put_aside(place(1, n, 1), at(50)));
    line.insert(place(2, 5_000, 1));
    assert_eq!(take(&mut line, 9), None);
    assert_eq!(line.next_look(at(9)), Some(at(50)));
    assert!(take(&mut line, 50).is_some());
}

#[test]
fn a_lane_keeps_its_share_in_memory_and_asks_for_more_when_it_has_used_up_half() {
    let mut line = small();
    (0..100).for_each(|n| line.insert(place(1, n, 1 + u64::from(n))));
    assert_eq!((line.len(), line.has_more(), line.begin_refill()), (4, true, None));
    taken(&mut line, 1_000, 3);
    let refill = line.begin_refill().unwrap();
    assert_eq!((refill.after, refill.limit), (place(1, 3, 4).turn(), 3));
    line.finish_refill(refill.lane, Some((4..7).map(|n| place(1, n, 1 + u64::from(n))).collect()), |_| false);
    assert_eq!(taken(&mut line, 1_000, 9).len(), 4);
}

#[test]
fn a_lane_that_could_not_be_read_asks_again() {
    let row = place(1, 1, 0).lane;
    let mut line = Line::of(Windows::default(), &[row]);
    assert_eq!(line.begin_refill().map(|refill| refill.lane), Some(row));
    assert_eq!(line.begin_refill(), None, "while it is being read");
    line.finish_refill(row, None, |_| false);
    assert_eq!(line.begin_refill().map(|refill| refill.lane), Some(row));
    line.finish_refill(row, Some(Vec::new()), |_| false);
    assert!(!line.has_more() && line.rows.is_empty() && line.functions.is_empty());
}

#[test]
fn memory_stays_within_its_bound_when_many_lanes_come_to_share_it() {
    let mut line = Line { windows: Windows { total: 400, least: 2, most: 100 }, ..Line::default() };
    for function in 0..200 {
        (0..100).for_each(|n| line.insert(place(function, u16::from(function) * 200 + n, 1 + u64::from(n))));
    }
    assert!(line.len() <= 1_000, "{}", line.len());
    assert_eq!(line.ages(at(101)).len(), 200);
}
