//! Use cases around the objects that this server keeps: list, read, delete. They come by deliveries.

use super::{Error, Runtime};
use crate::delivery::{Content, Object, Place};
use crate::model::names::Namespace;
use crate::model::object::{BucketName, ObjectKey};

impl Runtime {
    /// The buckets of a namespace that have an object.
    pub async fn buckets(&self, namespace: &Namespace) -> Result<Vec<BucketName>, Error> {
        Ok(self.parts.objects.buckets(namespace).await?)
    }

    /// Objects of a bucket whose keys begin with `prefix`, from behind `after`, at most `limit`.
    pub async fn objects(
        &self,
        namespace: &Namespace,
        bucket: &BucketName,
        prefix: &str,
        after: Option<&ObjectKey>,
        limit: usize,
    ) -> Result<Vec<Object>, Error> {
        Ok(self.parts.objects.list(namespace, bucket, prefix, after, limit).await?)
    }

    /// The content of an object.
    pub async fn object(&self, place: Place) -> Result<Content, Error> {
        self.parts.objects.get(&place).await?.ok_or_else(|| unknown(place))
    }

    /// Deletes an object.
    pub async fn remove_object(&self, place: Place) -> Result<(), Error> {
        let (objects, which) = (self.parts.objects.clone(), place.clone());
        let removed = async move { objects.remove(&which).await };
        let removed = self.parts.tasks.see_through("object", removed).await.ok_or(Error::Interrupted)?;
        if removed? { Ok(()) } else { Err(unknown(place)) }
    }
}

fn unknown(Place { namespace, bucket, key }: Place) -> Error {
    Error::ObjectUnknown { namespace, bucket, key }
}
