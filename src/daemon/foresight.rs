//! What a reload means, played by a thread of its own: nothing that runs waits for it.

use crate::model::Instant;
use crate::proto::Core;
use crate::sim::foresee;
use crate::supervisor::LoadedConfig;
use crate::sys::give_back_memory;
use crate::system::clock;
use std::fs::File;
use std::sync::Arc;
use tokio::sync::watch;

/// What is to be played.
#[derive(Debug)]
pub(super) struct Vision {
    core: Core,
    at: Instant,
    /// The new configuration.
    config: File,
}

/// What comes of it, for any number of listeners.
#[derive(Debug, Clone)]
pub(super) struct Foresight {
    /// Empty until it has been played.
    forecast: watch::Receiver<Option<Arc<str>>>,
}

impl Vision {
    pub(super) fn new(core: Core, at: Instant, config: File) -> Self {
        Self { core, at, config }
    }

    /// Begins to play it.
    pub(super) fn begin(self) -> Option<Foresight> {
        let (told, forecast) = watch::channel(None);
        let play = move || {
            if let Some(text) = self.play() {
                // Nobody may wait any more.
                drop(told.send(Some(text.into())));
            }
            give_back_memory();
        };
        match std::thread::Builder::new().name("foresight".into()).spawn(play) {
            Ok(_) => Some(Foresight { forecast }),
            Err(error) => {
                tracing::warn!("cannot find out what a reload means: {error}");
                None
            }
        }
    }

    fn play(self) -> Option<String> {
        let config = match LoadedConfig::read(&self.config) {
            Ok(config) => config,
            Err(error) => {
                tracing::warn!("cannot find out what a reload means: {error}");
                return None;
            }
        };
        let forecast = foresee(self.core, &config.model, self.at, clock::wall());
        serde_json::to_string(&forecast).ok()
    }
}

impl Foresight {
    /// Whether it is being played.
    pub(super) fn is_under_way(&self) -> bool {
        self.forecast.borrow().is_none() && self.forecast.has_changed().is_ok()
    }

    /// The forecast as JSON, when it has been played; `None`: there is none.
    pub(super) async fn told(mut self) -> Option<Arc<str>> {
        let told = self.forecast.wait_for(Option::is_some).await.ok()?;
        told.clone()
    }
}
