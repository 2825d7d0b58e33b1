//! Whose a client's certificate is: the names that it was made out to.

use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// The common names of its subject, then its alternative names that are a host, an address of mail or a URI. None of a
/// certificate that cannot be read; TLS has let none such pass. And none of one whose time is over: where sessions are resumed,
/// it was judged when the first of them began.
pub(crate) fn names_in(certificate: &[u8]) -> Vec<Box<[u8]>> {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
        return Vec::new();
    };
    if !certificate.validity().is_valid() {
        return Vec::new();
    }
    let common = certificate.subject().iter_common_name();
    let common = common.filter_map(|name| name.as_str().ok());
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let alternative = alternative
        .iter()
        .flat_map(|names| &names.value.general_names)
        .filter_map(|name| match name {
            GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => {
                Some(*name)
            }
            _ => None,
        });
    common
        .chain(alternative)
        .map(|name| name.as_bytes().into())
        .collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    #[test]
    fn common_and_alternative_names_are_found() {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(["ann.example".to_owned(), "10.0.0.1".to_owned()])
            .expect("names");
        params.distinguished_name.push(DnType::CommonName, "Ann B.");
        let mail = "ann@example".try_into().expect("an address");
        params.subject_alt_names.push(SanType::Rfc822Name(mail));
        let certificate = params.self_signed(&key).expect("a certificate");
        let names = names_in(certificate.der());
        let names: Vec<&[u8]> = names.iter().map(AsRef::as_ref).collect();
        let expected: [&[u8]; 3] = [b"Ann B.", b"ann.example", b"ann@example"];
        assert_eq!(names, expected);
        assert!(names_in(b"no certificate").is_empty());
        for cut in 0..certificate.der().len() {
            assert!(names_in(&certificate.der()[..cut]).is_empty());
        }
    }

    #[test]
    fn whose_time_is_over_is_nobody() {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(["ann.example".to_owned()]).expect("names");
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        let certificate = params.self_signed(&key).expect("a certificate");
        assert!(names_in(certificate.der()).is_empty());
    }
}
