//! What the counters and measures are told apart by: words out of a few, and nothing that
//! a client could make up.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

/// A word out of a few.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Word(pub &'static str);

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), std::fmt::Error> {
        self.0.encode(encoder)
    }
}

/// Of jobs that are over.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct JobLabels {
    pub kind: Word,
    pub trigger: Word,
    pub outcome: Word,
}

/// Of how long jobs took.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KindAndOutcome {
    pub kind: Word,
    pub outcome: Word,
}

/// Of how backups read their rows.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Mode {
    pub mode: Word,
}

/// Of jobs of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Kind {
    pub kind: Word,
}

/// Of what became of something.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Outcome {
    pub outcome: Word,
}

/// Of notices for targets of one format.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FormatAndOutcome {
    pub format: Word,
    pub outcome: Word,
}

/// Of requests; the route is a pattern, so there are only so many.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    pub method: Word,
    pub route: String,
    pub status: u16,
}
