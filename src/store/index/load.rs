//! Puts the index together: the listing of the packs is the truth, index objects only save reads.
//!
//! A reader may believe an index object, since each chunk proves itself by its hash. Whoever writes a
//! backup or removes packs must not: a wrong index object would have a needed chunk not written, or its
//! pack removed. They ask the packs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectMeta;

use crate::model::{Hash, PackId};
use crate::store::backend::objects::Objects;
use crate::store::format::index_file;
use crate::store::format::index_file::PackEntries;
use crate::store::format::pack;
use crate::store::format::pack::Footer;
use crate::store::index::deletion_marks;
use crate::store::index::deletion_marks::{Damaged, MarkedPacks};
use crate::store::index::location::{PackRead, Source};
use crate::store::index::lookup::Index;
use crate::store::{StoreError, layout};

/// Requests that run at once.
const REQUESTS: usize = 16;
/// Requests for the last bytes of packs that run at once.
const PROOFS: usize = 64;
/// Bytes read from the end of a pack at first: enough for 1,500 chunks.
const FOOTER_READ: u64 = 128 << 10;

/// What an index was made from; the same listing gives the same index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The packs and their sizes.
    pub packs: BTreeMap<PackId, u64>,
    /// The index objects.
    pub indexes: BTreeSet<Hash>,
    /// What is set aside.
    pub damaged: Damaged,
    /// What is to go.
    pub marked: MarkedPacks,
    /// Folders that cannot be listed; what lies in them is missed.
    pub unreadable: Vec<String>,
}

/// What the index may be made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Index objects, where they are: for reading chunks.
    Indexes,
    /// What the packs themselves confirm: for relying on chunks and for removing them.
    Packs,
}

/// An index with the listing that it was made from.
#[derive(Debug, Clone)]
pub struct Known {
    pub listing: Arc<Listing>,
    pub index: Arc<Index>,
}

impl Listing {
    /// What is there now.
    pub async fn read(objects: &Objects) -> Result<Self, StoreError> {
        let (packs, indexes) = futures::try_join!(
            objects.list_readable(layout::PACKS),
            objects.list_readable(layout::INDEX)
        )?;
        let size = |meta: &ObjectMeta| Some((layout::pack_id(&meta.location)?, meta.size));
        let index = |meta: &ObjectMeta| layout::index_id(&meta.location);
        Ok(Self {
            packs: packs.objects.iter().filter_map(size).collect(),
            indexes: indexes.objects.iter().filter_map(index).collect(),
            unreadable: [packs.unreadable, indexes.unreadable].concat(),
            damaged: deletion_marks::load(objects, layout::DAMAGED).await?,
            marked: deletion_marks::load(objects, layout::MARKED_PACKS).await?,
        })
    }

    /// The index over it. What `before` knows of packs that are still there is not read again.
    ///
    /// # Errors
    /// If the object store fails. Index objects that cannot be understood are passed over; packs
    /// that cannot be understood have no chunks.
    pub async fn index(
        &self,
        objects: &Objects,
        before: Option<&Known>,
        trust: Trust,
    ) -> Result<Index, StoreError> {
        let mut bare = self.packs.clone();
        let mut packs = Vec::new();
        let mut add = |(entries, source): (PackEntries, Source)| {
            if bare.get(&entries.pack) == Some(&entries.size) {
                bare.remove(&entries.pack);
                packs.push(PackRead { entries, source });
            }
        };
        let mut unread = self.indexes.clone();
        if let Some(before) = before {
            before.index.whole_packs().for_each(&mut add);
            unread.retain(|id| !before.listing.indexes.contains(id));
        }
        // Collected first: a stream of borrowing futures made on the fly is not known to be `Send`.
        let reads: Vec<_> = unread.into_iter().map(|id| read_index(objects, id)).collect();
        let mut read = stream::iter(reads).buffered(REQUESTS);
        while let Some(packs) = read.try_next().await? {
            packs.into_iter().map(|pack| (pack, Source::IndexObject)).for_each(&mut add);
        }
        if trust == Trust::Packs {
            let proofs: Vec<_> = packs.into_iter().map(|pack| prove(objects, pack)).collect();
            let judged: Vec<PackRead> = stream::iter(proofs).buffered(PROOFS).try_collect().await?;
            let (proven, wrong): (Vec<_>, Vec<_>) =
                judged.into_iter().partition(|pack| pack.source != Source::IndexObject);
            packs = proven;
            bare.extend(wrong.iter().map(|pack| (pack.entries.pack, pack.entries.size)));
        }
        let reads: Vec<_> =
            bare.into_iter().map(|(id, size)| read_pack(objects, id, size)).collect();
        let mut read = stream::iter(reads).buffered(REQUESTS);
        while let Some(pack) = read.try_next().await? {
            packs.push(pack);
        }
        Ok(Index::over(packs, &self.damaged, &self.marked))
    }
}

/// Asks a pack whether its table is what an index object says: the table's hash stands in its last bytes.
async fn prove(objects: &Objects, mut read: PackRead) -> Result<PackRead, StoreError> {
    let PackEntries { pack, size, entries } = &read.entries;
    if read.source == Source::IndexObject && *size >= pack::TAIL as u64 {
        let tail = *size - pack::TAIL as u64..*size;
        match objects.range(&layout::pack(pack), tail).await {
            Ok(tail) if pack::is_tail_of(&tail, entries) => read.source = Source::Footer,
            // It is read as what it is, if it can be.
            Ok(_) => {}
            Err(error) if error.is_not_found() || objects.is_unreadable(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

async fn read_index(objects: &Objects, id: Hash) -> Result<Vec<PackEntries>, StoreError> {
    let found = match objects.find(&layout::index(&id)).await {
        Err(error) if objects.is_unreadable(&error) => {
            tracing::warn!(index = %id, "ignoring an index object: {}", error.cannot_be_read());
            None
        }
        found => found?,
    };
    // One that a sweep has just replaced is not missed.
    let Some(bytes) = found else {
        return Ok(Vec::new());
    };
    Ok(index_file::parse(&bytes).unwrap_or_else(|fault| {
        tracing::warn!(index = %id, %fault, "ignoring an unreadable index object");
        Vec::new()
    }))
}

/// The entries of a pack by its footer, or by its frames if the footer is damaged.
async fn read_pack(objects: &Objects, pack: PackId, size: u64) -> Result<PackRead, StoreError> {
    let (entries, source) = match read_footer(objects, pack, size).await {
        Ok(Some(entries)) => (entries, Source::Footer),
        Ok(None) => {
            tracing::warn!(%pack, "the footer of a pack is damaged; reading its frames instead");
            match objects.find(&layout::pack(&pack)).await {
                Err(error) if objects.is_unreadable(&error) => (Vec::new(), Source::Frames),
                found => (pack::scan(&found?.unwrap_or_default()), Source::Frames),
            }
        }
        Err(error) if error.is_not_found() => (Vec::new(), Source::Frames),
        Err(error) if objects.is_unreadable(&error) => {
            tracing::warn!(%pack, "skipping a pack: {}", error.cannot_be_read());
            (Vec::new(), Source::Frames)
        }
        Err(error) => return Err(error),
    };
    let entries = PackEntries { pack, size, entries: entries.into() };
    Ok(PackRead { entries, source })
}

/// `None` if the footer is damaged.
pub async fn read_footer(
    objects: &Objects,
    id: PackId,
    size: u64,
) -> Result<Option<Vec<pack::Entry>>, StoreError> {
    let mut length = FOOTER_READ.min(size);
    loop {
        if length == 0 {
            return Ok(None);
        }
        let tail = objects.range(&layout::pack(&id), size - length..size).await?;
        match pack::parse_footer(&tail, size) {
            Ok(Footer::Whole(entries)) => return Ok(Some(entries)),
            // It is never longer than the pack, and longer than what was read.
            Ok(Footer::Longer(needed)) if needed > length => length = needed,
            Ok(Footer::Longer(_)) | Err(_) => return Ok(None),
        }
    }
}
