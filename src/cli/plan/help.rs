//! What `plan --help` says of the file.

/// The format, by an example that has everything.
pub(super) const FORMAT: &str = "\
The file is TOML. What is absent is as usual, as with `deploy` and the other
commands; unknown keys are refused. Names are `NAME`, or \"NAMESPACE/NAME\" in
another namespace than the file's. Sizes are `64MiB`, times are `30s`.

  namespace = \"shop\"             # else that of --namespace

  [accounts.runner]              # tokens, keys: made with `tidemill access`
  roles = [
    \"functions.invoker\",
    { role = \"queues.writer\", on = \"queue:jobs\" },
  ]

  [connections.cloud]            # kind: nats, s3 or sqs; keys are named as
  kind = \"sqs\"                   # secrets (`tidemill secrets set`)
  region = \"ru-central1\"
  access_key_id = \"AKIA1\"
  secret_key = { secret = \"cloud-key\" }

  [streams.events]
  retention = \"7d\"
  max_bytes = \"1GiB\"

  [queues.jobs]                  # visibility, delay, retention, wait,
  visibility = \"1m\"              # max_message, content_deduplication, tags
  redrive = { to = \"dead\", max_receives = 5 }

  [[topics.orders.subscriptions]]
  to = \"function:bill\"
  filter = { outcomes = [\"failed\"] }
  give_up_after = \"1h\"

  [functions.bill]
  module = \"bill.wasm\"           # from where this file is; or an image,
                                 # oci://HOST/NAME:TAG (with registry =
                                 # { user, password }); or sha256:… of what
                                 # the server has, as `export` writes it
  entrypoint = \"handler\"         # arguments, environment, memory, timeout,
  memory = \"64MiB\"               # concurrency, fuel, reuse, debug_info,
  environment = { MODE = \"dry\" } # instance_concurrency, core_dump, cgi,
                                 # space = { table_elements, instances,
                                 # handles, log, result }
  aliases = { prod = 3, next = \"latest\" }
  disabled = false               # absent: as it is

  [functions.bill.grants]        # directories, key_value, functions, config
  http = [\"https://api.example\"]
  secrets = { KEY = \"api-key\" }

  [functions.bill.async]         # max_retries, max_event_age, retry_delay,
  max_retries = 2                # retry_delay_max, service_account
  on_success = \"queue:jobs\"      # or { to, format, service_account,
  on_failure = \"topic:orders\"    # connection, expires_days }

  [functions.bill.queue]         # concurrency, max_queued, max_queued_bytes,
  max_queued = 100000            # paused

  [functions.bill.queue.retention]
  failed = { age = \"7d\", count = 1000, bytes = \"1GiB\" }

  [functions.bill.versions.3]    # what one version has of its own, which wins
  async = { max_retries = 0 }    # over the function's

  [containers.site]              # a function that answers HTTP: the same
  module = \"site.wasm\"           # keys, and entrypoint = \"http\"

  [triggers.nightly]             # time_zone, catch_up, payload,
  kind = \"timer\"                 # payload_base64, content_type, enabled
  function = \"bill\"
  cron = \"0 3 * * *\"

  [triggers.worker]              # batch_size, batch_window, concurrency,
  kind = \"queue\"                 # format, enabled
  function = \"bill\"
  queue = \"jobs\"

The exit code of `plan` is 5 when something would change. `apply` refuses a
file that would close a cycle before it changes anything, makes what is needed
before what needs it, and takes each step whole or not at all; after one that
fails it says what was done and what was not. Applied again, it goes on where
it was.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::plan::desired::desired;

    #[test]
    fn the_example_is_a_description_and_fits_a_narrow_terminal() {
        assert!(FORMAT.lines().all(|line| line.chars().count() < 80));
        let example: Vec<_> = FORMAT.lines().filter(|line| line.starts_with("  ")).collect();
        let desired = desired(&example.join("\n"), None).unwrap_or_else(|error| panic!("{error}"));
        assert!(desired.resources.len() > 10, "{:?}", desired.resources.keys());
    }
}
