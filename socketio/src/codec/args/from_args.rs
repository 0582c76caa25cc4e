//! What handlers take, and the several arguments that either side gives.

use serde::de::DeserializeOwned;
use serde::ser::{Serialize, Serializer};

use super::owned::OwnedArgs;
use super::raw::RawArgs;
use super::spread::spread;
use crate::codec::error::ArgsError;
use crate::codec::outgoing;

/// What a handler takes from the arguments of an event, and a caller from those of an ack.
///
/// Any type that serde can deserialize takes the first argument, `()` takes none or whatever there is,
/// [`Args`] several, [`OwnedArgs`] all of them unparsed. Arguments beyond those taken are tolerated.
///
/// A tuple of `n` takes what it is sent: `n` arguments, or one that is an array of `n`. So a handler that takes
/// `(i64, i64)` understands both `emit("add", 1, 2)` and `emit("add", [1, 2])`; one that takes `Args<(i64, i64)>`
/// understands the first alone, and is in no doubt where an element can itself be an array. What is *emitted* has no
/// choice: a tuple is one array, and [`Args`] are several arguments.
///
/// ```
/// use socketio::args::FromArgs;
/// use socketio::{Args, OwnedArgs};
///
/// for sent in [OwnedArgs::new(&Args((1, 2)))?, OwnedArgs::new(&(1, 2))?] {
///     assert_eq!(<(i64, i64)>::from_args(sent.as_raw()), Ok((1, 2)));
/// }
/// # Ok::<(), socketio::args::EncodeError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from event arguments",
    label = "this payload does not implement `serde::Deserialize`",
    note = "derive `serde::Deserialize` for it, take owned types (`String`, not `&str`), and `Args<(A, B)>` for several arguments"
)]
pub trait FromArgs: Sized {
    /// Reads the arguments.
    ///
    /// # Errors
    ///
    /// They are too few, or one is of another type.
    fn from_args(args: RawArgs<'_>) -> Result<Self, ArgsError>;
}

impl<T: DeserializeOwned> FromArgs for T {
    #[inline]
    fn from_args(args: RawArgs<'_>) -> Result<Self, ArgsError> {
        if args.len() > 1 {
            return of_several(args);
        }
        args.deserialize().or_else(|error| of_other(args, error))
    }
}

/// Of several arguments the type takes all that it has places for, else the first.
fn of_several<T: DeserializeOwned>(args: RawArgs<'_>) -> Result<T, ArgsError> {
    match spread(args) {
        None => args.deserialize(),
        Some(Err(error)) => args.deserialize().map_err(|_| error),
        Some(read) => read,
    }
}

/// The argument, or none, is not of the type; it may be the first of a tuple whose others are optional.
#[cold]
fn of_other<T: DeserializeOwned>(args: RawArgs<'_>, error: ArgsError) -> Result<T, ArgsError> {
    if args.is_array() {
        return Err(error);
    }
    spread(args).unwrap_or(Err(error))
}

impl FromArgs for OwnedArgs {
    fn from_args(args: RawArgs<'_>) -> Result<Self, ArgsError> {
        Ok(args.to_owned())
    }
}

/// Several arguments, both those of a handler and those that are emitted: a tuple of none to eight.
///
/// ```
/// use socketio::args::FromArgs;
/// use socketio::{Args, OwnedArgs};
///
/// let sent = OwnedArgs::new(&Args(("lobby", 7)))?;
/// let Args((room, seat)) = Args::<(String, Option<u8>)>::from_args(sent.as_raw()).unwrap();
/// assert_eq!((room.as_str(), seat), ("lobby", Some(7)));
/// # Ok::<(), socketio::args::EncodeError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_structs, reason = "it is made to be taken apart")]
pub struct Args<T>(pub T);

impl FromArgs for Args<()> {
    fn from_args(_: RawArgs<'_>) -> Result<Self, ArgsError> {
        Ok(Self(()))
    }
}

impl Serialize for Args<()> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

macro_rules! several {
    ($($name:ident)*) => {
        impl<$($name: DeserializeOwned),*> FromArgs for Args<($($name,)*)> {
            #[inline]
            fn from_args(mut args: RawArgs<'_>) -> Result<Self, ArgsError> {
                Ok(Self(($(args.take::<$name>()?,)*)))
            }
        }

        impl<$($name: Serialize),*> Serialize for Args<($($name,)*)> {
            #[inline]
            fn serialize<Ser: Serializer>(&self, serializer: Ser) -> Result<Ser::Ok, Ser::Error> {
                serializer.serialize_newtype_struct(outgoing::SEVERAL, &self.0)
            }
        }
    };
}

several!(A);
several!(A B);
several!(A B C);
several!(A B C D);
several!(A B C D E);
several!(A B C D E F);
several!(A B C D E F G);
several!(A B C D E F G H);
