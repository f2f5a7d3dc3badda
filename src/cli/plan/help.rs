//! What `plan --help` says of the file.

/// The format, by an example that has everything.
pub(super) const FORMAT: &str = "\
The file is TOML. What is absent is as usual, as with `deploy` and the other commands; unknown keys are refused. Names are
`NAME`, or \"NAMESPACE/NAME\" in another namespace than the file's. Sizes are written as `64MiB`, times as `30s`.

  namespace = \"shop\"                  # else that of --namespace

  [accounts.runner]                   # tokens and keys are made with `tidemill access`
  roles = [\"functions.invoker\", { role = \"queues.writer\", on = \"queue:jobs\" }]

  [connections.cloud]                 # kind: nats, s3 or sqs; keys are named as secrets (`tidemill secrets set`)
  kind = \"sqs\"
  region = \"ru-central1\"
  access_key_id = \"AKIA1\"
  secret_key = { secret = \"cloud-key\" }

  [streams.events]
  retention = \"7d\"
  max_bytes = \"1GiB\"

  [queues.jobs]                       # visibility, delay, retention, wait, max_message, content_deduplication, tags
  visibility = \"1m\"
  redrive = { to = \"dead\", max_receives = 5 }

  [topics.orders]
  subscriptions = [{ to = \"function:bill\", filter = { outcomes = [\"failed\"] }, give_up_after = \"1h\" }]

  [functions.bill]
  module = \"bill.wasm\"                # from where this file is; or oci://HOST/NAME:TAG (with registry = { user, password });
                                      # or sha256:… of what the server has, as `export` writes it
  entrypoint = \"handler\"              # arguments, environment, memory, timeout, concurrency, fuel, reuse, debug_info,
  memory = \"64MiB\"                    # instance_concurrency, core_dump, cgi, space = { table_elements, instances, handles, log, result }
  environment = { MODE = \"dry\" }
  grants = { http = [\"https://api.example\"], secrets = { KEY = \"api-key\" } }   # directories, key_value, functions, config
  aliases = { prod = 3, next = \"latest\" }
  disabled = false                    # absent: as it is

  [functions.bill.async]              # max_retries, max_event_age, retry_delay, retry_delay_max, service_account
  max_retries = 2
  on_success = \"queue:jobs\"
  on_failure = { to = \"topic:orders\", format = \"cloudevent\" }       # service_account, connection, expires_days

  [functions.bill.queue]              # concurrency, max_queued, max_queued_bytes, paused
  max_queued = 100000
  retention = { failed = { age = \"7d\", count = 1000, bytes = \"1GiB\" } }

  [functions.bill.versions.3]         # what one version has of its own, which wins over the function's
  async = { max_retries = 0 }         # as functions.bill.async

  [containers.site]                   # a function that answers HTTP: the same keys, and entrypoint = \"http\"
  module = \"site.wasm\"

  [triggers.nightly]                  # time_zone, catch_up, payload, payload_base64, content_type, enabled
  kind = \"timer\"
  function = \"bill\"
  cron = \"0 3 * * *\"

  [triggers.worker]                   # batch_size, batch_window, concurrency, format, enabled
  kind = \"queue\"
  function = \"bill\"
  queue = \"jobs\"

The exit code of `plan` is 5 when something would change. `apply` refuses a file that would close a cycle before it changes
anything, makes what is needed before what needs it, and takes each step whole or not at all; after one that fails it says
what was done and what was not. Applied again, it goes on where it was.";
