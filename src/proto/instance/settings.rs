//! What an instance is configured as: its place in the model that all share, so that thousands of instances keep no copies.

use crate::model::{Instance as Config, Model, Needed};
use crate::proto::group::with_group;
use std::ops::Deref;
use std::sync::Arc;

/// The configuration of one instance.
#[derive(Debug, Clone)]
pub(in crate::proto) struct Settings {
    place: Place,
    /// Interfaces that it needs beside its own and those of its virtual addresses.
    pub(in crate::proto) needed: Arc<[Needed]>,
}

/// Where the configuration stands.
#[derive(Debug, Clone)]
enum Place {
    /// As it stands in the model, at this position.
    InModel(Arc<Model>, usize),
    /// With what its sync group adds.
    WithGroup(Arc<Config>),
}

impl Settings {
    /// Of every instance of a model, in its order.
    pub(in crate::proto) fn all(model: &Arc<Model>) -> impl Iterator<Item = Self> + use<> {
        let model = Arc::clone(model);
        let needed = model.needed_interfaces();
        needed.into_iter().enumerate().map(move |(position, needed)| {
            let grouped = model.instances.get(position);
            let grouped = grouped.and_then(|config| with_group(config, &model.groups));
            let place = grouped.map_or_else(
                || Place::InModel(Arc::clone(&model), position),
                |config| Place::WithGroup(config.into()),
            );
            Self { place, needed }
        })
    }
}

impl Deref for Settings {
    type Target = Config;

    fn deref(&self) -> &Config {
        match &self.place {
            #[expect(
                clippy::indexing_slicing,
                reason = "the position was counted in this model, which nobody can change"
            )]
            Place::InModel(model, position) => &model.instances[*position],
            Place::WithGroup(config) => config,
        }
    }
}
