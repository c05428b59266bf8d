//! Certificates for a server, and what to trust.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

use crate::error::Result;

/// What a server shows, as PEM.
pub(super) struct Identity {
    pub(super) certificate: String,
    pub(super) key: String,
}

/// Files with the certificates of authorities, as PEM. They go when this is
/// dropped.
#[derive(Debug)]
pub struct Authorities {
    /// The one that vouches for the server.
    pub right: PathBuf,
    /// One that does not know it, of the same name.
    pub wrong: PathBuf,
    _folder: TempDir,
}

impl Identity {
    /// A new one, for the name `localhost`.
    pub(super) fn fresh() -> Result<(Self, Authorities)> {
        let folder = tempfile::tempdir()?;
        let authority = authority()?;
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec!["localhost".into()])
            .and_then(|params| params.signed_by(&key, &authority))?;
        let right = folder.path().join("right.pem");
        std::fs::write(&right, authority.pem())?;
        let wrong = folder.path().join("wrong.pem");
        std::fs::write(&wrong, self::authority()?.pem())?;
        let identity = Self {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        };
        let authorities = Authorities {
            right,
            wrong,
            _folder: folder,
        };
        Ok((identity, authorities))
    }
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let name = &mut params.distinguished_name;
    name.push(DnType::CommonName, "an authority for tests");
    Ok(CertifiedIssuer::self_signed(params, key)?)
}
