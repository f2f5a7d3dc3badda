//! Asynchronous configurations: from what people write to what a function has, with its destinations looked up and the graph
//! asked for a cycle.

use std::sync::Weak;
use std::time::Duration;

use super::{Registry, RegistryError, TargetAsked};
use crate::model::bounds::{self, within};
use crate::model::destination::{Destination, DestinationText, Destinations, FunctionTarget, Outside, Terms};
use crate::model::function::{AsyncConfig, Function};
use crate::model::graph::{Node, Owner};
use crate::model::names::{AccountName, FunctionPath, Namespace, Qualifier, VersionNumber};
use crate::model::retry::RetryPolicy;

/// An asynchronous configuration as people write it: destinations by name.
#[derive(Clone, Debug)]
pub struct ConfigText {
    /// How often and how far apart.
    pub retry: RetryPolicy,
    /// The age after which no attempt starts.
    pub max_event_age: Duration,
    /// Where successes go.
    pub on_success: Option<DestinationText>,
    /// Where everything else goes.
    pub on_failure: Option<DestinationText>,
    /// How the record of a success is brought there.
    pub success_terms: Terms,
    /// How that of any other outcome is.
    pub failure_terms: Terms,
    /// The service account that must be allowed to invoke the function.
    pub service_account: Option<AccountName>,
}

/// What a configuration belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// All versions that have none of their own.
    Function,
    /// This version alone.
    Version(VersionNumber),
}

impl Registry {
    /// Sets the asynchronous configuration of a function or of one version; the one before is replaced whole.
    pub async fn configure(&self, path: FunctionPath, subject: Subject, text: ConfigText) -> Result<(), RegistryError> {
        self.targets_exist(&path, &text).await?;
        self.update(path, move |registry, function| {
            let config = registry.checked(function, &text)?;
            match subject {
                Subject::Function => function.async_config = Some(config),
                Subject::Version(number) => {
                    registry.existing(function, number)?;
                    function.version_configs.insert(number, config);
                }
            }
            Ok(())
        })
        .await
    }

    /// Removes a configuration, where there is one; the defaults apply again.
    pub async fn remove_config(&self, path: FunctionPath, subject: Subject) -> Result<(), RegistryError> {
        self.update(path, move |_, function| {
            match subject {
                Subject::Function => function.async_config = None,
                Subject::Version(number) => drop(function.version_configs.remove(&number)),
            }
            Ok(())
        })
        .await
    }

    /// What lies outside the runtime is looked up before the change begins: what goes meanwhile is a delivery that
    /// fails, as it is when it goes later.
    pub(super) async fn targets_exist(&self, path: &FunctionPath, text: &ConfigText) -> Result<(), RegistryError> {
        for (to, terms) in [(&text.on_success, &text.success_terms), (&text.on_failure, &text.failure_terms)] {
            match to {
                Some(DestinationText::Outside(to)) => self.target_exists(&path.namespace, to, terms).await?,
                Some(DestinationText::Function { .. }) => terms.check(None).map_err(RegistryError::Target)?,
                None => (),
            }
        }
        Ok(())
    }

    /// Whether outcomes can be brought there, as far as that can be told now.
    pub async fn target_exists(&self, namespace: &Namespace, to: &Outside, terms: &Terms) -> Result<(), RegistryError> {
        to.check(terms).map_err(RegistryError::Target)?;
        match self.parts.targets.get().and_then(Weak::upgrade) {
            Some(targets) => {
                targets.check(TargetAsked { namespace, to, terms }).await.map_err(RegistryError::TargetRefused)
            }
            None => Ok(()),
        }
    }

    /// The configuration that `text` means on `function`, whose other edges count too.
    pub(super) fn checked(&self, function: &Function, text: &ConfigText) -> Result<AsyncConfig, RegistryError> {
        within("max_event_age_s", text.max_event_age.as_secs(), &bounds::MAX_EVENT_AGE_S)
            .map_err(RegistryError::Range)?;
        let destinations = Destinations {
            on_success: self.destination(function, text.on_success.as_ref())?,
            on_failure: self.destination(function, text.on_failure.as_ref())?,
            success_terms: text.success_terms.clone(),
            failure_terms: text.failure_terms.clone(),
        };
        self.acyclic(function, [&destinations])?;
        Ok(AsyncConfig {
            retry: text.retry,
            max_event_age: text.max_event_age,
            destinations,
            service_account: text.service_account.clone(),
        })
    }

    /// Refuses ways from `function` that would close a cycle. Its other ways need not be looked at: a cycle takes one of
    /// them.
    pub(super) fn acyclic<'a>(
        &self,
        function: &Function,
        ways: impl IntoIterator<Item = &'a Destinations>,
    ) -> Result<(), RegistryError> {
        let ways = ways.into_iter().flat_map(|destinations| Node::of(destinations, &function.path.namespace));
        let edges = ways.map(|(_, to)| (Node::Function(function.path.clone()), to)).collect();
        self.closes_none(&Owner::Function(function.id), &edges)
    }

    fn destination(
        &self,
        owner: &Function,
        text: Option<&DestinationText>,
    ) -> Result<Option<Destination>, RegistryError> {
        let (namespace, name, qualifier) = match text {
            None => return Ok(None),
            Some(DestinationText::Outside(outside)) => return Ok(Some(Destination::Outside(outside.clone()))),
            Some(DestinationText::Function { namespace, name, qualifier }) => (namespace, name, qualifier),
        };
        let namespace = namespace.clone().unwrap_or_else(|| owner.path.namespace.clone());
        let path = FunctionPath { namespace, name: name.clone() };
        let target = |id| FunctionTarget { id, path: path.clone(), qualifier: qualifier.clone() };
        if path == owner.path {
            return Ok(Some(Destination::Function(target(owner.id)))); // a cycle, which the graph tells
        }
        if let Ok((function, _)) = self.resolve(&path, qualifier) {
            return Ok(Some(Destination::Function(target(function.id))));
        }
        let reference = if *qualifier == Qualifier::Latest { path.to_string() } else { format!("{path}@{qualifier}") };
        Err(RegistryError::DestinationUnknown { destination: format!("function:{reference}") })
    }
}
