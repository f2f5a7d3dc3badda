//! What has to be true of any text where something that has a name is written: it is refused with a sentence, or it is
//! written so that it is read as the same again.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use crate::model::access::{Role, Scope};
use crate::model::destination::{Destination, DestinationText, FunctionTarget, Outside, Terms};
use crate::model::entrypoint::{ExportName, Wanted};
use crate::model::grant::{DirectoryGrant, FunctionGrant, HttpGrant};
use crate::model::message_queue::QueueName;
use crate::model::names::{
    AliasName, FunctionId, FunctionName, FunctionPath, InvocationId, Namespace, Qualifier, SecretName,
};
use crate::model::object::{BucketName, ObjectKey, ObjectTarget};
use crate::model::reference::FunctionReference;
use crate::model::schedule::Schedule;
use crate::model::time::{Timestamp, parse_duration};

/// Takes a text for everything that it might be.
pub(super) fn name(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    both_ways::<Namespace>(text);
    both_ways::<FunctionName>(text);
    both_ways::<AliasName>(text);
    both_ways::<SecretName>(text);
    both_ways::<QueueName>(text);
    both_ways::<Qualifier>(text);
    both_ways::<InvocationId>(text);
    both_ways::<BucketName>(text);
    both_ways::<ObjectKey>(text);
    both_ways::<HttpGrant>(text);
    both_ways::<DirectoryGrant>(text);
    both_ways::<FunctionGrant>(text);
    both_ways::<ExportName>(text);
    both_ways::<Wanted>(text);
    both_ways::<Role>(text);
    if let Some(FunctionReference { namespace, name, qualifier }) = refused_or_read::<FunctionReference>(text) {
        let path = FunctionPath { namespace: namespace.unwrap_or_default(), name };
        assert_eq!(
            path.to_string().parse::<FunctionReference>().map(|read| read.within(&Namespace::default()).0),
            Ok(path.clone())
        );
        assert!(path.urn(&qualifier).starts_with("urn:fss:local:"));
    }
    drop(refused_or_read::<ObjectTarget>(text));
    check_told(text.parse::<Terms>());
    check_told(parse_duration(text));
    if let Some(to) = refused_or_read::<DestinationText>(text) {
        destination(to);
    }
    if let Some(at) = check_told(Timestamp::parse(text)) {
        assert_eq!(Timestamp::parse(&at.to_string()).ok(), Some(at), "{text}");
    }
    schedule(text);
    scope(text);
}

fn both_ways<T>(text: &str)
where
    T: FromStr<Err: Display> + Display + Debug + PartialEq,
{
    let Some(value) = refused_or_read::<T>(text) else { return };
    match value.to_string().parse::<T>() {
        Ok(again) => assert_eq!(again, value, "{text}"),
        Err(error) => panic!("`{text}` is written as `{value}`, which is refused: {error}"),
    }
}

fn refused_or_read<T: FromStr<Err: Display>>(text: &str) -> Option<T> {
    check_told(text.parse::<T>())
}

/// Whatever is refused is so in a sentence that has not all of a long text in it.
fn check_told<T, E: Display>(read: Result<T, E>) -> Option<T> {
    read.map_err(|error| {
        let told = error.to_string();
        assert!(!told.is_empty() && told.len() < 2_000, "{} bytes of `{}`", told.len(), std::any::type_name::<E>());
    })
    .ok()
}

fn destination(to: DestinationText) {
    let written = match &to {
        DestinationText::Outside(outside) => {
            check_told(outside.check(&Terms::default()));
            assert!(outside.told().chars().count() <= 200, "a log is told all of {outside}");
            outside.to_string()
        }
        DestinationText::Function { namespace, name, qualifier } => {
            let own = Namespace::default();
            let path = FunctionPath { namespace: namespace.clone().unwrap_or_default(), name: name.clone() };
            let target = FunctionTarget { id: FunctionId::from_bytes([0; 16]), path, qualifier: qualifier.clone() };
            Destination::Function(target).written_in(&own)
        }
    };
    match (written.parse::<DestinationText>(), to) {
        (Ok(DestinationText::Outside(read)), DestinationText::Outside(Outside { kind, target })) => {
            assert_eq!((read.kind, read.target), (kind, target));
        }
        (Ok(DestinationText::Function { name: read, .. }), DestinationText::Function { name, .. }) => {
            assert_eq!(read, name);
        }
        (read, to) => panic!("{to:?} is written as `{written}`, which is {read:?}"),
    }
}

/// A schedule has a next time after any, which is later.
fn schedule(text: &str) {
    let Some(schedule) = check_told(Schedule::new(text, "Europe/Berlin")) else { return };
    check_told(Schedule::new("0 * * * *", text));
    let now = Timestamp::from_ms(1_774_000_000_000);
    if let Some(next) = schedule.after(now) {
        assert!(next > now, "{text}");
    }
}

fn scope(text: &str) {
    if let Some(scope) = check_told(Scope::parse(text, &Namespace::default())) {
        let written = scope.to_string();
        assert_eq!(Scope::parse(&written, &Namespace::default()).ok(), Some(scope), "{text}");
    }
}
