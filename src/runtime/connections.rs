//! Use cases around connections to services outside: set, show, list, remove. None shows a key.

use super::{Error, Runtime};
use crate::delivery::ConnectionError;
use crate::model::connection::{Connection, Service};
use crate::model::names::{ConnectionName, Namespace};

impl Runtime {
    /// Sets a connection, in place of the one of that name. What is delivered from now on goes by it. Returns it, and
    /// whether it is new.
    pub async fn set_connection(
        &self,
        namespace: Namespace,
        name: ConnectionName,
        service: Service,
    ) -> Result<(Connection, bool), Error> {
        let connections = self.parts.connections.clone();
        let set = async move { connections.set(namespace, name, service).await };
        // What was begun is ended, also when the caller goes away.
        Ok(self.parts.tasks.see_through("connection", set).await.ok_or(Error::Interrupted)??)
    }

    /// One connection.
    pub async fn connection(&self, namespace: Namespace, name: ConnectionName) -> Result<Connection, Error> {
        let found = self.parts.connections.get(&namespace, &name).await?;
        found.ok_or(Error::ConnectionUnknown { namespace, name })
    }

    /// Connections of a namespace in order of their names, from behind `after`, at most `limit`.
    pub async fn connections(
        &self,
        namespace: &Namespace,
        after: Option<&ConnectionName>,
        limit: usize,
    ) -> Result<Vec<Connection>, Error> {
        Ok(self.parts.connections.list(namespace, after, limit).await?)
    }

    /// Removes a connection. Deliveries that need it fail from now on.
    pub async fn remove_connection(&self, namespace: Namespace, name: ConnectionName) -> Result<(), Error> {
        let (connections, of, which) = (self.parts.connections.clone(), namespace.clone(), name.clone());
        let removed = async move { connections.remove(&of, &which).await.map_err(ConnectionError::Store) };
        let removed = self.parts.tasks.see_through("connection", removed).await.ok_or(Error::Interrupted)?;
        if removed? { Ok(()) } else { Err(Error::ConnectionUnknown { namespace, name }) }
    }
}
