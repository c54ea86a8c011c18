//! Opens a store, or makes one: `store.json` is what makes a place a store.

use std::path::Path;
use std::sync::{Arc, Mutex};

use object_store::ObjectStore;

use crate::model::{Parameters, seal};
use crate::store::backend::files;
use crate::store::backend::objects::Objects;
use crate::store::backend::probe;
use crate::store::parameters;
use crate::store::parameters::Read;
use crate::store::scratch::Scratch;
use crate::store::{Inner, Location, LockKind, Store, StoreError, layout, lock};

/// Where a store is.
struct Home {
    name: String,
    location: Option<Location>,
    /// The folder of a store that is thrown away.
    scratch: Option<Scratch>,
}

impl Store {
    /// Opens the store that is there. If `store.json` is lost or damaged, the manifests say what it
    /// held; `check_parameters` writes it again.
    ///
    /// # Errors
    /// [`StoreError::NoStore`] if there is none; [`StoreError::Parameters`] if this program is not
    /// fit to read it.
    pub async fn open(location: &Location) -> Result<Self, StoreError> {
        if matches!(location, Location::Folder(path) if !path.is_dir()) {
            return Err(StoreError::NoStore(location.to_string()));
        }
        let objects = objects(location)?;
        let parameters = match parameters::read(&objects).await? {
            Read::Whole(found) => found.value,
            Read::Recovered(parameters, why) => {
                tracing::warn!("{why}; the backups say what it held; `verify` writes it again");
                parameters
            }
            Read::Lost => return Err(StoreError::ParametersMissing(location.to_string())),
            Read::Nothing => return Err(StoreError::NoStore(location.to_string())),
        };
        if let Some(server) = location.server() {
            probe::recall(&objects, &server).await?;
        }
        Ok(Self::at(location, objects, parameters))
    }

    /// Opens the store, after making it if nothing is there. The parent of a folder must exist. A lost or
    /// damaged `store.json` is written again.
    ///
    /// # Errors
    /// As [`Self::open`]; [`StoreError::ParametersMissing`] if there are packs, but no backup that
    /// says how they were made.
    pub async fn open_or_create(location: &Location) -> Result<Self, StoreError> {
        if let Location::Folder(path) = location {
            let making = || format!("making the folder {}", path.display());
            make(path).map_err(StoreError::io(making()))?;
        }
        let objects = objects(location)?;
        let parameters = establish(&objects, location.to_string()).await?;
        if let Some(server) = location.server() {
            learn(&objects, &server).await;
        }
        if let Location::Folder(path) = location {
            // Made now, while there is room: whoever deletes from a full disk needs them.
            lock::make_files(path);
        }
        Ok(Self::at(location, objects, parameters))
    }

    /// A store in a new folder below `parent` that is removed with the last clone of this. Its
    /// writes do not wait for the disk. Those that killed processes left there are removed.
    ///
    /// # Errors
    /// If the folder cannot be made or written to.
    pub async fn scratch(parent: &Path) -> Result<Self, StoreError> {
        let making = || format!("making a temporary folder in {}", parent.display());
        let folder = Scratch::below(parent).map_err(StoreError::io(making()))?;
        let location = Location::Folder(folder.path().to_owned());
        let objects = Objects::fleeting(location.objects(false)?, folder.path().to_owned());
        let parameters = establish(&objects, location.to_string()).await?;
        let place = Home { name: location.to_string(), location: None, scratch: Some(folder) };
        Ok(Self::new(objects, LockKind::Folder, place, parameters))
    }

    /// The store in these objects, made if there is none: for wrappers that record, fail or slow
    /// what a store does. Locks are leases unless `folder` is given.
    ///
    /// # Errors
    /// As [`Self::open_or_create`].
    pub async fn over(
        objects: Arc<dyn ObjectStore>,
        folder: Option<&Path>,
        locks: LockKind,
    ) -> Result<Self, StoreError> {
        let name = objects.to_string();
        let objects = Objects::new(objects, folder.map(Path::to_owned));
        let parameters = establish(&objects, name.clone()).await?;
        let place = Home { name, location: None, scratch: None };
        Ok(Self::new(objects, locks, place, parameters))
    }

    fn at(location: &Location, objects: Objects, parameters: Parameters) -> Self {
        let name = location.to_string();
        let place = Home { name, location: Some(location.clone()), scratch: None };
        Self::new(objects, locks(location), place, parameters)
    }

    fn new(objects: Objects, locks: LockKind, place: Home, parameters: Parameters) -> Self {
        Self(Arc::new(Inner {
            objects,
            locks,
            place: place.name,
            location: place.location,
            parameters,
            known: Mutex::default(),
            states: tokio::sync::Mutex::default(),
            profiles: Mutex::default(),
            rebuilt: Mutex::default(),
            ids: Mutex::default(),
            runtime: tokio::runtime::Handle::current(),
            _scratch: place.scratch,
        }))
    }
}

/// Finds out what the server of a store can do, unless that is known, and says what is missing. A store
/// of which it cannot be found out is used as one that can do everything: each request tells.
async fn learn(objects: &Objects, server: &str) {
    let found = match probe::recall(objects, server).await {
        Ok(Some(_)) => return,
        Ok(None) => probe::find_out(objects, server).await,
        Err(error) => Err(error),
    };
    match found {
        Ok(found) => found.missing().into_iter().for_each(|what| tracing::warn!("{what}")),
        Err(error) => {
            tracing::warn!("could not find out what the object store can do: {}", error.chain());
        }
    }
}

/// Makes the folder of a store, for its owner alone or the group that shares the folder above; one that is
/// there stays as it is.
fn make(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let folder = std::path::absolute(folder)?;
    let above = folder.ancestors().skip(1).find(|above| above.is_dir());
    let modes = above.map_or(Ok(files::Modes::PRIVATE), files::Modes::of)?;
    files::make_folders(&folder, modes, true)
}

pub fn objects(location: &Location) -> Result<Objects, StoreError> {
    let folder = match location {
        Location::Folder(path) => Some(path.clone()),
        Location::S3 { .. } | Location::Memory => None,
    };
    Ok(Objects::new(location.objects(true)?, folder))
}

fn locks(location: &Location) -> LockKind {
    match location {
        Location::Folder(_) => LockKind::Folder,
        Location::S3 { .. } | Location::Memory => LockKind::LEASE,
    }
}

/// Reads `store.json`, writes it again, or writes a new one where nothing is.
async fn establish(objects: &Objects, place: String) -> Result<Parameters, StoreError> {
    match parameters::read(objects).await? {
        Read::Whole(found) => return Ok(found.value),
        Read::Recovered(parameters, why) => {
            parameters::write_again(objects, &parameters).await?;
            tracing::warn!("{why}; it was written again from the manifests");
            return Ok(parameters);
        }
        Read::Lost => return Err(StoreError::ParametersMissing(place)),
        Read::Nothing => {}
    }
    let parameters = parameters::new();
    match objects.create(&layout::STORE.into(), seal(&parameters).into()).await {
        Ok(()) => Ok(parameters),
        // Somebody else made it at the same moment.
        Err(error) if error.is_taken() => match parameters::read(objects).await? {
            Read::Whole(found) => Ok(found.value),
            _ => Err(StoreError::NoStore(place)),
        },
        Err(error) => Err(error),
    }
}
