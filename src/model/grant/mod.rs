//! What a version may reach beyond itself: hosts, directories, stores, functions, secrets. Nothing, unless it says so.
//!
//! Only what is granted and how that is written. What a grant means when a guest asks is decided by the engine's host.

/// Has a grant stand in the store as it is written.
macro_rules! as_text {
    ($grant:ident, $error:ident) => {
        impl TryFrom<String> for $grant {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, $error> {
                text.parse()
            }
        }

        impl From<$grant> for String {
            fn from(grant: $grant) -> Self {
                grant.to_string()
            }
        }
    };
}

mod directory;
mod function;
mod http;
mod needs;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::directory::{DirectoryGrant, InvalidDirectoryGrant};
pub use self::function::{FunctionGrant, InvalidFunctionGrant};
pub use self::http::{HttpGrant, InvalidHttpGrant, Scheme};
pub use self::needs::{MissingGrant, needs_grant};
use super::names::{SecretName, StoreName};

/// Everything that a version may reach. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Grants {
    /// Where it may send HTTP requests.
    pub http: Vec<HttpGrant>,
    /// Directories of the machine that it sees.
    pub directories: Vec<DirectoryGrant>,
    /// Key-value stores of its namespace that it may open.
    pub key_value: Vec<StoreName>,
    /// Functions that it may invoke.
    pub functions: Vec<FunctionGrant>,
    /// Environment variables that get the value of a secret of its namespace when an attempt starts.
    pub secrets: BTreeMap<String, SecretName>,
    /// What it finds under `wasi:config`, besides its environment.
    pub config: BTreeMap<String, String>,
}

impl Grants {
    /// How many there are, of all kinds together.
    #[must_use]
    pub fn len(&self) -> usize {
        let named = self.key_value.len() + self.functions.len() + self.secrets.len() + self.config.len();
        self.http.len() + self.directories.len() + named
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
