//! What an instance is configured as: its place in the model that all share, so that thousands of instances keep no copies.

use crate::model::{Instance as Config, Model};
use crate::proto::group::with_group;
use std::ops::Deref;
use std::sync::Arc;

/// The configuration of one instance.
#[derive(Debug, Clone)]
pub(in crate::proto) enum Settings {
    /// As it stands in the model, at this position.
    InModel(Arc<Model>, usize),
    /// With what its sync group adds.
    WithGroup(Arc<Config>),
}

impl Settings {
    /// Of every instance of a model, in its order.
    pub(in crate::proto) fn all(model: &Arc<Model>) -> impl Iterator<Item = Self> + use<> {
        let model = Arc::clone(model);
        (0..model.instances.len()).map(move |position| {
            let grouped = model.instances.get(position);
            let grouped = grouped.and_then(|config| with_group(config, &model.groups));
            grouped.map_or_else(
                || Self::InModel(Arc::clone(&model), position),
                |config| Self::WithGroup(config.into()),
            )
        })
    }
}

impl Deref for Settings {
    type Target = Config;

    fn deref(&self) -> &Config {
        match self {
            #[expect(
                clippy::indexing_slicing,
                reason = "the position was counted in this model, which nobody can change"
            )]
            Self::InModel(model, position) => &model.instances[*position],
            Self::WithGroup(config) => config,
        }
    }
}
