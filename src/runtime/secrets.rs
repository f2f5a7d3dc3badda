//! Use cases around secrets: set, list, remove. None shows a value.

use super::{Error, Runtime};
use crate::model::names::{Namespace, SecretName};
use crate::model::secret::{Secret, SecretValue};

impl Runtime {
    /// Sets a secret, in place of the one of that name. Attempts that start from now on get it. Returns whether it is new.
    pub async fn set_secret(&self, namespace: Namespace, name: SecretName, value: SecretValue) -> Result<bool, Error> {
        let vault = self.parts.vault.clone();
        let set = async move { vault.set(namespace, name, value).await };
        // What was begun is ended, also when the caller goes away.
        self.parts.tasks.see_through("secret", set).await.ok_or(Error::Interrupted)?.map_err(Error::Vault)
    }

    /// Secrets of a namespace in order of their names, from behind `after`, at most `limit`.
    pub async fn secrets(
        &self,
        namespace: Namespace,
        after: Option<SecretName>,
        limit: usize,
    ) -> Result<Vec<Secret>, Error> {
        Ok(self.parts.vault.list(namespace, after, limit).await?)
    }

    /// Removes a secret. Attempts that need it and start from now on fail.
    pub async fn remove_secret(&self, namespace: Namespace, name: SecretName) -> Result<(), Error> {
        let (vault, of, which) = (self.parts.vault.clone(), namespace.clone(), name.clone());
        let removed = async move { vault.remove(of, which).await };
        let removed = self.parts.tasks.see_through("secret", removed).await.ok_or(Error::Interrupted)?;
        if removed? { Ok(()) } else { Err(Error::SecretUnknown { namespace, name }) }
    }
}
