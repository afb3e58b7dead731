//! A part of a draft that is seldom written, and takes no room until it is: there may be very many drafts.

use std::ops::{Deref, DerefMut};

/// A `T`, for the price of a pointer while nothing is written in it.
#[derive(Debug)]
pub(super) struct Seldom<T>(Option<Box<T>>);

/// A `T` in which nothing is written; what reading a [`Seldom`] gives then.
pub(super) trait Unwritten: Default + 'static {
    /// Always the same one.
    const NOTHING: &'static Self;
}

impl<T> Default for Seldom<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Unwritten> From<T> for Seldom<T> {
    fn from(value: T) -> Self {
        Self(Some(Box::new(value)))
    }
}

impl<T: Unwritten> Seldom<T> {
    /// What is written.
    pub(super) fn into_inner(self) -> T {
        self.0.map(|value| *value).unwrap_or_default()
    }
}

impl<T: Unwritten> Deref for Seldom<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or(T::NOTHING)
    }
}

impl<T: Unwritten> DerefMut for Seldom<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}
