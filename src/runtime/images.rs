//! Use cases around images of registries: pull the module of one, to deploy it.

use super::{Error, Runtime};
use crate::model::names::{Namespace, SecretName};
use crate::oci::{Image, ImageReference, Login};

/// What to pull, and as whom.
#[derive(Clone, Debug)]
pub struct Source {
    /// Which image.
    pub reference: ImageReference,
    /// The user, and the secret that is the password; nobody in particular where there is none.
    pub login: Option<(String, SecretName)>,
}

impl Runtime {
    /// Pulls the module that `source` names, with a secret of `namespace` if it needs one. Nothing is deployed by that.
    pub async fn pull(&self, namespace: &Namespace, source: &Source) -> Result<Image, Error> {
        let login = match &source.login {
            None => None,
            Some((user, secret)) => {
                let password = self.parts.vault.value(namespace.clone(), secret.clone()).await?;
                let unknown = || Error::SecretUnknown { namespace: namespace.clone(), name: secret.clone() };
                Some(Login { user: user.clone(), password: password.ok_or_else(unknown)? })
            }
        };
        Ok(self.parts.images.pull(&source.reference, login.as_ref()).await?)
    }
}
