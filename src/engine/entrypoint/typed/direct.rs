//! Calls of functions whose parameters and results have types here: their bytes are copied as they are, a megabyte in a
//! tenth of a millisecond, and nothing of them is a dynamic value.
//!
//! Types are fixed when this program is compiled, and each pair of parameters and results is a call of its own. So these
//! are the common ones with a `list<u8>` in them; all others go through `dynamic`.

use wasmtime::AsContextMut;
use wasmtime::component::{ComponentExportIndex, ComponentNamedList, Instance, Lift, Lower};

use super::shape::{Field, Int, Shape};
use super::value::Value;
use super::write::Mismatch;

/// What a function of this sort returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direct {
    Nothing,
    Bool,
    U32,
    U64,
    String,
    Bytes,
    OptionBytes,
    /// `result<list<u8>, string>`
    ResultBytes,
    /// `result<_, string>`
    ResultNothing,
    /// `result<string, string>`
    ResultString,
}

impl Direct {
    /// How the function is called, if it has bytes to carry and types here.
    pub(super) fn of(params: &[Field], result: Option<&Shape>) -> Option<Self> {
        let has_bytes = params.iter().map(|param| &param.shape).chain(result).any(Shape::has_bytes);
        let shapes: Vec<_> = params.iter().map(|param| &param.shape).collect();
        let taken = matches!(
            *shapes,
            [] | [Shape::Bytes | Shape::String]
                | [Shape::Bytes | Shape::String, Shape::Bytes]
                | [Shape::Bytes, Shape::String]
        );
        if !has_bytes || !taken {
            return None;
        }
        Some(match result {
            None => Self::Nothing,
            Some(Shape::Bool) => Self::Bool,
            Some(Shape::Int(Int::U32)) => Self::U32,
            Some(Shape::Int(Int::U64)) => Self::U64,
            Some(Shape::String) => Self::String,
            Some(Shape::Bytes) => Self::Bytes,
            Some(Shape::Option(some)) if **some == Shape::Bytes => Self::OptionBytes,
            Some(Shape::Result(ok, Some(err))) if **err == Shape::String => match ok.as_deref() {
                None => Self::ResultNothing,
                Some(Shape::Bytes) => Self::ResultBytes,
                Some(Shape::String) => Self::ResultString,
                Some(_) => return None,
            },
            Some(_) => return None,
        })
    }

    /// Calls the function.
    pub(super) async fn call(
        self,
        store: impl AsContextMut<Data: Send>,
        function: Function<'_>,
        given: &[Value],
    ) -> wasmtime::Result<Option<Value>> {
        let text = |text| Box::new(Value::String(text));
        let bytes = |bytes| Box::new(Value::Bytes(bytes));
        match self {
            Self::Nothing => with::<()>(store, function, given).await.map(|()| None),
            Self::Bool => with(store, function, given).await.map(|(it,)| Some(Value::Bool(it))),
            Self::U32 => with::<(u32,)>(store, function, given).await.map(|(it,)| Some(Value::Unsigned(it.into()))),
            Self::U64 => with(store, function, given).await.map(|(it,)| Some(Value::Unsigned(it))),
            Self::String => with(store, function, given).await.map(|(it,)| Some(Value::String(it))),
            Self::Bytes => with(store, function, given).await.map(|(it,)| Some(Value::Bytes(it))),
            Self::OptionBytes => {
                let (it,) = with::<(Option<Vec<u8>>,)>(store, function, given).await?;
                Ok(Some(Value::Option(it.map(bytes))))
            }
            Self::ResultBytes => {
                let (it,) = with::<(Result<Vec<u8>, String>,)>(store, function, given).await?;
                Ok(Some(Value::Result(it.map(|it| Some(bytes(it))).map_err(|it| Some(text(it))))))
            }
            Self::ResultNothing => {
                let (it,) = with::<(Result<(), String>,)>(store, function, given).await?;
                Ok(Some(Value::Result(it.map(|()| None).map_err(|it| Some(text(it))))))
            }
            Self::ResultString => {
                let (it,) = with::<(Result<String, String>,)>(store, function, given).await?;
                Ok(Some(Value::Result(it.map(|it| Some(text(it))).map_err(|it| Some(text(it))))))
            }
        }
    }
}

/// A function in an instance.
#[derive(Clone, Copy)]
pub(super) struct Function<'a> {
    pub(super) instance: &'a Instance,
    pub(super) index: &'a ComponentExportIndex,
}

impl Function<'_> {
    async fn call<P, R>(self, mut store: impl AsContextMut<Data: Send>, given: P) -> wasmtime::Result<R>
    where
        P: ComponentNamedList + Lower + Send + Sync,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        let function = self.instance.get_typed_func::<P, R>(&mut store, self.index)?;
        function.call_async(store, given).await
    }
}

async fn with<R>(store: impl AsContextMut<Data: Send>, function: Function<'_>, given: &[Value]) -> wasmtime::Result<R>
where
    R: ComponentNamedList + Lift + Send + Sync + 'static,
{
    match given {
        [] => function.call::<(), R>(store, ()).await,
        [Value::Bytes(a)] => function.call::<(&[u8],), R>(store, (a,)).await,
        [Value::String(a)] => function.call::<(&str,), R>(store, (a,)).await,
        [Value::Bytes(a), Value::Bytes(b)] => function.call::<(&[u8], &[u8]), R>(store, (a, b)).await,
        [Value::Bytes(a), Value::String(b)] => function.call::<(&[u8], &str), R>(store, (a, b)).await,
        [Value::String(a), Value::Bytes(b)] => function.call::<(&str, &[u8]), R>(store, (a, b)).await,
        _ => Err(Mismatch.into()),
    }
}
