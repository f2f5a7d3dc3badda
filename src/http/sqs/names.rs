//! URLs and ARNs of queues. The account in them is the namespace.

use axum::http::request::Parts;
use axum::http::{Uri, header};

use super::error::SqsError;
use crate::http::front::OverTls;
use crate::model::message_queue::{QueueName, QueuePath};
use crate::model::names::Namespace;

/// How an ARN begins, up to the namespace.
const ARN: &str = "arn:aws:sqs:local:";
/// How Yandex Message Queue writes it, up to the region.
const YANDEX_ARN: &str = "yrn:yc:ymq:";

/// Where the client reached us.
pub(super) fn base(head: &Parts) -> String {
    let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let scheme = if head.extensions.get::<OverTls>().is_some() { "https" } else { "http" };
    format!("{scheme}://{host}")
}

/// The namespace that an endpoint is for, by the path of the request: of `/NAMESPACE`, or of a queue's own.
pub(super) fn endpoint(uri: &Uri) -> Result<Namespace, SqsError> {
    match uri.path().split('/').find(|segment| !segment.is_empty()) {
        Some(segment) => account(segment),
        None => Ok(Namespace::default()),
    }
}

/// The namespace that an account stands for.
pub(super) fn account(text: &str) -> Result<Namespace, SqsError> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Namespace::default());
    }
    text.parse().map_err(|error| SqsError::named("InvalidAddress", format!("{error}")))
}

/// The name of a queue.
pub(super) fn name(text: &str) -> Result<QueueName, SqsError> {
    text.parse().map_err(|error| SqsError::parameter(format!("{error}")))
}

pub(super) fn url(base: &str, path: &QueuePath) -> String {
    format!("{base}/{}/{}", path.namespace, path.name)
}

/// The queue of a URL, whatever host it names: clients reach us under more than one. A name alone is a queue of
/// `namespace`.
pub(super) fn of_url(text: &str, namespace: &Namespace) -> Result<QueuePath, SqsError> {
    let path = match text.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => text,
    };
    let segments: Vec<_> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    match segments[..] {
        [name] => Ok(QueuePath { namespace: namespace.clone(), name: self::name(name)? }),
        [account, name] => Ok(QueuePath { namespace: self::account(account)?, name: self::name(name)? }),
        _ => {
            let told: String = text.chars().take(300).collect();
            Err(SqsError::named(
                "InvalidAddress",
                format!("`{told}` is not the URL of a queue: http://HOST/NAMESPACE/NAME"),
            ))
        }
    }
}

/// The ARN of a queue as Yandex Message Queue writes it.
pub(super) fn yandex_arn(path: &QueuePath) -> String {
    format!("{YANDEX_ARN}ru-central1:{}:{}", path.namespace, path.name)
}

pub(super) fn arn(path: &QueuePath) -> String {
    format!("{ARN}{}:{}", path.namespace, path.name)
}

/// The queue of an ARN of any region, as SQS or Yandex Message Queue writes them.
pub(super) fn of_arn(text: &str) -> Result<QueuePath, SqsError> {
    let invalid = || {
        let told: String = text.chars().take(300).collect();
        SqsError::parameter(format!("`{told}` is not the ARN of a queue: {ARN}NAMESPACE:NAME"))
    };
    let rest = text.strip_prefix("arn:aws:sqs:").or_else(|| text.strip_prefix(YANDEX_ARN)).ok_or_else(invalid)?;
    let parts: Vec<_> = rest.split(':').collect();
    let [_, account, name] = parts[..] else { return Err(invalid()) };
    Ok(QueuePath { namespace: self::account(account)?, name: self::name(name)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: Result<QueuePath, SqsError>) -> String {
        path.map_or_else(|error| error.shape.to_owned(), |path| format!("{}/{}", path.namespace, path.name))
    }

    #[test]
    fn the_account_of_a_url_is_the_namespace_and_twelve_digits_are_the_usual_one() {
        let shop = "shop".parse().unwrap();
        let check = |text: &str, expected: &str| assert_eq!(told(of_url(text, &shop)), expected, "{text}");
        check("http://localhost:1/default/q", "default/q");
        check("https://sqs.eu-west-1.amazonaws.com/123456789012/q.fifo", "default/q.fifo");
        check("http://h/team/q", "team/q");
        check("q", "shop/q");
        check("/team/q", "team/q");
        check("http://h/a/b/c", "InvalidAddress");
        check("http://h", "InvalidAddress");
        check("http://h/team/a.b", "InvalidParameterValue");
    }

    #[test]
    fn arns_of_both_kinds_are_read_and_one_is_written() {
        let check = |text: &str, expected: &str| assert_eq!(told(of_arn(text)), expected, "{text}");
        check("arn:aws:sqs:local:team:q", "team/q");
        check("arn:aws:sqs:us-east-1:000000000000:q", "default/q");
        check("yrn:yc:ymq:ru-central1:b1gfolder:q", "b1gfolder/q");
        check("arn:aws:sns:local:team:q", "InvalidParameterValue");
        check("q", "InvalidParameterValue");
        let path = of_arn("arn:aws:sqs:local:team:q").unwrap();
        assert_eq!(arn(&path), "arn:aws:sqs:local:team:q");
        assert_eq!(url("http://h:1", &path), "http://h:1/team/q");
    }
}
