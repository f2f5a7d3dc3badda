//! What a function may be and may have: settings, accounts, connections, its module, what its guest takes of the host.

use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{GIB, MIB};

// Functions and their versions, and what they are given.

/// Largest module that can be deployed: room for a `CPython` build.
pub const MAX_MODULE_BYTES: usize = 64 * 1_024 * 1_024;
/// Method, path and headers of an HTTP request that waits in the queue, in bytes: they are written at each of its steps.
pub const MAX_REQUEST_HEAD_BYTES: usize = 16 * 1_024;
/// Arguments of a command, count and bytes in all.
pub const MAX_ARGUMENTS: usize = 128;
/// Bytes of the name of an exported function, that of its interface included.
pub const MAX_EXPORT_NAME_BYTES: usize = 256;
/// Bytes of all arguments and of all environment entries, each.
pub const MAX_ARGUMENT_BYTES: usize = 32 * 1_024;
/// Grants of a version, of all kinds together.
pub const MAX_GRANTS: usize = 256;
/// A secret: it becomes an environment variable.
pub const MAX_SECRET_BYTES: usize = 64 * 1_024;
/// Secrets of a namespace.
pub const MAX_SECRETS: usize = 1_000;
/// Environment entries of a version, count.
pub const MAX_ENVIRONMENT: usize = 128;
/// Versions one function may have: they are never overwritten, so their number is what grows.
pub const MAX_VERSIONS: u32 = 10_000;
/// Aliases one function may have.
pub const MAX_ALIASES: usize = 100;
/// What a dialect may keep of a function or a version, in bytes of JSON.
pub const MAX_ANNOTATION_BYTES: usize = 65_536;
/// Of a hundred invocations of an alias, how many may go to other versions than its own.
pub const ALIAS_WEIGHTS: RangeInclusive<u32> = 0..=100;
/// Functions of all namespaces: each costs memory for its settings and its place in the graph.
pub const MAX_FUNCTIONS: usize = 20_000;

// Accounts, operations, and who sends requests.

/// Service accounts of all namespaces: each is in memory.
pub const MAX_ACCOUNTS: usize = 10_000;
/// Seconds that a token or a key may be good for: up to 136 years, the end of which can be written.
pub const CREDENTIAL_S: RangeInclusive<u64> = 1..=u32::MAX as u64;
/// Roles of one account: each is looked at when it asks for something.
pub const MAX_BINDINGS: usize = 100;
/// Tokens and keys of one account.
pub const MAX_CREDENTIALS: usize = 100;
/// How long a token or key that expires can be good for: ten years.
pub const MAX_CREDENTIAL_AGE: Duration = Duration::from_secs(10 * 365 * 86_400);
/// Entries of the audit log; the oldest give way.
pub const MAX_AUDIT_ENTRIES: usize = 20_000;
/// Operations that are kept, of all dialects that have them; the oldest give way.
pub const MAX_OPERATIONS: usize = 10_000;
/// How long an operation can be asked for.
pub const MAX_OPERATION_AGE: Duration = Duration::from_secs(7 * 86_400);
/// Body of a signed request, in bytes: it has to be in memory before the request is known to be anybody's.
pub const MAX_SIGNED_BODY_BYTES: usize = 16 * 1_024 * 1_024;
/// Time for a TLS handshake.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

// What functions find: connections, key-value stores.

/// Connections of a namespace to services outside the runtime.
pub const MAX_SERVICES: usize = 100;
/// The key of a pair in a key-value store.
pub const MAX_PAIR_KEY_BYTES: usize = 1_024;
/// The value of a pair: what one commit can write beside others.
pub const MAX_PAIR_VALUE_BYTES: usize = 1_024 * 1_024;
/// Pairs of one key-value store: their names are gone through when it is first used.
pub const MAX_PAIRS: u64 = 100_000;
/// Bytes of one key-value store, keys and values.
pub const MAX_PAIR_BYTES: u64 = GIB;
/// Pairs that one call of a guest sets, gets or deletes together.
pub const MAX_PAIR_BATCH: usize = 256;
/// Key-value stores whose sizes are in memory; those of others are counted when they are written to.
pub const MAX_OPEN_STORES: usize = 4_096;

// Compiling, and compiled code.

/// Compiled modules kept ready in memory, count: each is some maps and an open file.
pub const MAX_READY_MODULES: usize = 256;
/// Compiled modules kept ready in memory, bytes, unless told. They are mapped, so what is not executed takes no
/// memory; what describes them is counted as what it takes.
pub const DEFAULT_LOADED_CODE_BYTES: u64 = GIB;
/// From one large module to what a machine may have.
pub const LOADED_CODE_BYTES: RangeInclusive<u64> = 64 * MIB..=1_024 * GIB;
/// Compiled modules kept on disk, in bytes; those that were not used for longest give way.
pub const MAX_COMPILED_BYTES: u64 = 8 * GIB;
/// One compiled module, in bytes: some twice the module, with room for many small functions.
pub const MAX_COMPILED_MODULE_BYTES: usize = 512 * 1_024 * 1_024;
/// Processor time that compiling one module may take, unless told: a `CPython` takes ten seconds.
pub const DEFAULT_COMPILE_CPU: Duration = Duration::from_secs(120);
/// Range of the same, in seconds.
pub const COMPILE_CPU_S: RangeInclusive<u64> = 1..=3_600;
/// How much longer than its processor time a compilation may last: it stands back for everything else.
pub const COMPILE_PATIENCE: u32 = 5;
/// Address space that compiling one module may take, unless told: 100,000 functions take half a gigabyte, and what is
/// reserved is more than what is used.
pub const DEFAULT_COMPILE_MEMORY: u64 = 4 * GIB;
/// Range of the same: below it not even an empty module is compiled.
pub const COMPILE_MEMORY: RangeInclusive<u64> = 256 * MIB..=256 * GIB;
/// Threads of one compilation: each takes memory, and on a large machine several are under way.
pub const MAX_COMPILE_THREADS: usize = 8;

// What a module may have.

/// Functions of one module: a compiler takes some 20 microseconds and 5 KiB for even an empty one.
pub const MAX_MODULE_FUNCTIONS: usize = 100_000;
/// Code of one function: compiling takes more than proportionally longer, about a second for this much.
pub const MAX_FUNCTION_BYTES: usize = 1_024 * 1_024;
/// Locals of one function, its parameters apart: a compiler follows each through every block.
pub const MAX_FUNCTION_LOCALS: usize = 20_000;
/// Blocks within blocks of one function; a `switch` of a thousand cases is a thousand.
pub const MAX_BLOCK_NESTING: usize = 5_000;
/// Exports of one module, those of the modules within it included: each is a name in memory while it is loaded.
pub const MAX_MODULE_EXPORTS: usize = 20_000;
/// Imports of one module, those of the modules within it included: each is looked up when it is loaded.
pub const MAX_MODULE_IMPORTS: usize = 20_000;
/// Types of one module, those within others and those of the modules within it included: each takes up to a kilobyte of the
/// server's memory while it is loaded.
pub const MAX_MODULE_TYPES: usize = 50_000;
/// What describes them, in bytes: a type may have thousands of parts, each some tens of bytes while it is loaded.
pub const MAX_TYPE_BYTES: usize = 2 * 1_024 * 1_024;
/// Data and element segments of one module, each.
pub const MAX_MODULE_SEGMENTS: usize = 100_000;
/// Globals of one module: each is made for every instance.
pub const MAX_MODULE_GLOBALS: usize = 100_000;
/// Core modules and components within one component, all levels together.
pub const MAX_INNER_MODULES: usize = 1_000;
/// Components within components of one module.
pub const MAX_MODULE_NESTING: usize = 16;
/// Names and notes of a module that are not code, debug information apart.
pub const MAX_CUSTOM_BYTES: usize = 32 * 1_024 * 1_024;
/// Debug information that a version may be deployed with, in bytes.
pub const MAX_DEBUG_BYTES: usize = 16 * 1_024 * 1_024;
/// Tables of lines within it, in bytes: a backtrace reads one anew for each of its frames, and a byte becomes twenty.
pub const MAX_DEBUG_LINE_BYTES: usize = 2 * 1_024 * 1_024;
/// Compilation units within it: each is entered in a table for each frame of a backtrace.
pub const MAX_DEBUG_UNITS: usize = 10_000;
/// Frames of a backtrace: the innermost.
pub const MAX_FRAMES: NonZeroUsize = NonZeroUsize::new(10).unwrap();

// What a guest may take of the host.

/// Stack of a guest; the host's calls on its behalf have their own besides.
pub const GUEST_STACK_BYTES: usize = 512 * 1_024;
/// Elements of one table of a guest; each is a pointer of the host's.
pub const MAX_GUEST_TABLE_ELEMENTS: usize = 100_000;
/// Core instances of one guest: a component is often linked from several.
pub const MAX_GUEST_INSTANCES: usize = 64;
/// Linear memories of one guest; their sizes count together.
pub const MAX_GUEST_MEMORIES: usize = 4;
/// Tables of one guest.
pub const MAX_GUEST_TABLES: usize = 16;
/// Open resources (streams, bodies, headers) of one guest: what the host keeps for one can be 64 KiB.
pub const MAX_GUEST_HANDLES: usize = 1_000;
/// Bytes that one call between guest and host may copy: room for a result that is then found too large.
pub const MAX_GUEST_COPY_BYTES: usize = 16 * 1_024 * 1_024;
/// Types that the signature of a typed function is made of: real ones have tens, and each costs some 100 bytes where its
/// function is ready.
pub const MAX_SIGNATURE_TYPES: usize = 10_000;
/// Types within types of such a signature.
pub const MAX_SIGNATURE_NESTING: usize = 50;
/// Values in the payload of a typed function, each element of a list counted, and each byte of a `list<u8>` unless all of
/// its signature travels directly. One takes some 40 bytes while it is handed over.
pub const MAX_TYPED_VALUES: usize = 400_000;
/// Requests that one guest may have under way at once; each takes up to 256 KiB of buffers.
pub const MAX_GUEST_REQUESTS: usize = 16;
/// Requests that all guests together may have under way: each is a socket.
pub const MAX_OUTBOUND_REQUESTS: usize = 1_024;
/// Names that are looked up for guests at once: each is a thread, for as long as the system's resolver takes.
pub const MAX_LOOKUPS: usize = 32;
/// How long guests that are told to stop may take.
pub const GUEST_STOP: Duration = Duration::from_secs(2);
/// When to come again where there was no room for another instance.
pub const NO_ROOM_DELAY: Duration = Duration::from_millis(100);
