//! Keeps the folders of this host out of what others are told.

use crate::service::StateFolder;
use crate::store::Store;

/// The folders of the service. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Places(std::sync::Arc<[(String, &'static str)]>);

impl Places {
    /// The folders of this state and this store.
    #[must_use]
    pub fn new(state: &StateFolder, store: &Store) -> Self {
        // The state folder is often in the store, so it comes first.
        let state = (state.path().to_string_lossy().into_owned(), "(the state folder)");
        let store = store.folder().map(|it| (it.to_string_lossy().into_owned(), "(the store)"));
        Self([Some(state), store].into_iter().flatten().collect())
    }

    /// The text without the names of the folders.
    #[must_use]
    pub fn hide(&self, text: &str) -> String {
        let hide = |text: String, (folder, word): &(String, &str)| text.replace(folder, word);
        self.0.iter().fold(text.to_owned(), hide)
    }
}
