//! What people may say of a backup later: another description, a pin, labels. Its content stays.

use std::collections::BTreeMap;

use crate::engine::{BackupInfo, Engine, EngineError};
use crate::model::{BackupId, State, check_description, check_label};

/// How many labels a backup may have.
const MAX_LABELS: usize = 64;

/// What is to be changed; what is not given stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Annotation {
    /// What people will call the backup.
    pub description: Option<String>,
    /// Whether every cleanup keeps it.
    pub pinned: Option<bool>,
    /// Labels to be set, or with null to be taken away; the others stay.
    pub labels: BTreeMap<String, Option<String>>,
}

impl Annotation {
    /// Changes a state accordingly.
    fn apply(&self, state: &mut State) -> Result<(), String> {
        if let Some(description) = &self.description {
            check_description(description)?;
            state.description = Some(description.clone());
        }
        state.pinned = self.pinned.unwrap_or(state.pinned);
        for (key, value) in &self.labels {
            if let Some(value) = value {
                check_label(key, value)?;
                state.labels.insert(key.clone(), value.clone());
            } else {
                state.labels.remove(key);
            }
        }
        if state.labels.len() > MAX_LABELS {
            return Err(format!("a backup has at most {MAX_LABELS} labels"));
        }
        Ok(())
    }
}

impl Engine {
    /// Changes what is said of a backup, and returns its metadata. Of one whose state is damaged nothing is known; then this begins
    /// anew, pinned unless told otherwise.
    ///
    /// # Errors
    /// If there is none with this id, or a text is too long or holds control characters; nothing is
    /// changed then.
    pub async fn annotate(
        &self,
        id: &BackupId,
        annotation: &Annotation,
    ) -> Result<BackupInfo, EngineError> {
        let manifest = self.store.manifest(id).await?;
        let mut applied = annotation.apply(&mut State::default());
        if let Err(wrong) = applied {
            return Err(EngineError::MalformedAnnotation(wrong));
        }
        // A damaged state may have said that the backup is pinned.
        let anew = State { pinned: true, ..State::default() };
        let state = self.store.change_state_or_begin(id, &anew, |state| {
            let mut changed = state.clone();
            applied = annotation.apply(&mut changed);
            if applied.is_ok() {
                *state = changed;
            }
        });
        let state = state.await?;
        applied.map_err(EngineError::MalformedAnnotation)?;
        Ok(BackupInfo::new(&manifest, &state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels<const N: usize>(labels: [(&str, Option<&str>); N]) -> Annotation {
        let label = |(key, value): (&str, Option<&str>)| (key.to_owned(), value.map(str::to_owned));
        Annotation { labels: labels.map(label).into(), ..Annotation::default() }
    }

    #[test]
    fn only_what_is_given_changes() {
        let mut state = State::default();
        let given = labels([("change", Some("CHG-1")), ("site", Some("fra"))]);
        let given = Annotation { pinned: Some(true), ..given };
        given.apply(&mut state).expect("sound");
        labels([("change", None), ("site", Some("muc"))]).apply(&mut state).expect("sound");
        assert!(state.pinned && state.description.is_none());
        assert_eq!(state.labels, BTreeMap::from([("site".to_owned(), "muc".to_owned())]));
    }

    #[test]
    fn there_is_an_end_to_labels() {
        let mut state = State::default();
        for number in 0..MAX_LABELS {
            labels([(&format!("k{number}"), Some(""))]).apply(&mut state).expect("sound");
        }
        assert!(labels([("one.more", Some(""))]).apply(&mut state).is_err());
    }
}
