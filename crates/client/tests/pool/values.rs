//! Values of the application's own types, and values that are compressed: on both servers, and what wrong bytes give.

#[cfg(any(feature = "json", feature = "postcard"))]
use larder_client::{Client, Error, Fetch, FetchError, Stored, Ttl, Typed};
#[cfg(any(feature = "json", feature = "postcard"))]
use serde::{Deserialize, Serialize};

#[cfg(any(feature = "json", feature = "postcard"))]
use crate::verbs::ALL;

#[cfg(any(feature = "json", feature = "postcard"))]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
    numbers: Vec<u32>,
}

#[cfg(any(feature = "json", feature = "postcard"))]
fn ada() -> User {
    User {
        name: "Ada".to_owned(),
        numbers: vec![1, 2, 3],
    }
}

#[cfg(feature = "json")]
#[tokio::test]
async fn json() {
    for setup in ALL {
        let (_servers, client) = setup.pool();
        typed(&client, &client.json()).await;
        let text = client.get("u").await.expect("get").expect("stored");
        let plain = (&b"{\"name\":\"Ada\",\"numbers\":[1,2,3]}"[..], 0);
        assert_eq!((&text.data[..], text.flags), plain, "any client reads it");
        let unwritable = std::collections::HashMap::from([((1, 2), 3)]);
        let error = client.json().set("m", &unwritable, Ttl::Never).await;
        let error = error.expect_err("keys of JSON are strings").to_string();
        assert!(
            error.starts_with("the value could not be written as JSON: "),
            "{error}"
        );
        assert_eq!(client.get("m").await, Ok(None), "nothing was sent");
        let (cache, how) = (client.json(), Fetch::ttl(Ttl::Never));
        let load = async || Ok::<_, Error>(unwritable.clone());
        let loaded = cache.fetch("m", &how, load).await;
        assert!(matches!(loaded, Err(FetchError::Cache(Error::Codec(_)))));
    }
}

#[cfg(feature = "postcard")]
#[tokio::test]
async fn postcard() {
    for setup in ALL {
        let (_servers, client) = setup.pool();
        typed(&client, &client.postcard()).await;
        let bytes = client.get("u").await.expect("get").expect("stored");
        assert_eq!(
            (&bytes.data[..], bytes.flags),
            (&b"\x03Ada\x03\x01\x02\x03"[..], 0x5043)
        );
        let (data, flags) = (&b"\x03Ada\x03\x01\x02\x03\x04"[..], 0x5043);
        client
            .set_with_flags("u", data, flags, Ttl::Never)
            .await
            .expect("set");
        let error = client.postcard().get::<User>("u").await;
        let error = error.expect_err("a byte too many").to_string();
        assert!(error.ends_with("1 bytes are left over"), "{error}");
    }
}

/// What holds for both. Leaves Ada under "u".
#[cfg(any(feature = "json", feature = "postcard"))]
async fn typed(client: &Client, cache: &Typed) {
    let how = Fetch::ttl(Ttl::secs(100));
    let load = async || Ok::<_, Error>(ada());
    assert_eq!(cache.get::<User>("u").await, Ok(None));
    assert_eq!(cache.fetch("u", &how, load).await.expect("loaded"), ada());
    let stored = cache.fetch("u", &how, async || Err::<User, _>("not asked"));
    assert_eq!(stored.await.expect("a hit"), ada());
    assert_eq!(
        cache.add("u", &ada(), Ttl::Never).await,
        Ok(Stored::NotStored)
    );
    let (mut user, cas) = cache
        .get_with_cas::<User>("u")
        .await
        .expect("get")
        .expect("stored");
    user.numbers.push(4);
    assert_eq!(
        cache.cas("u", &user, cas, Ttl::Never).await,
        Ok(Stored::Stored)
    );
    assert_eq!(
        cache.cas("u", &user, cas, Ttl::Never).await,
        Ok(Stored::Exists)
    );
    let many = cache.get_many::<User, _>(["u", "nobody"]).await;
    assert_eq!(
        many.found().map(|(_, found)| found).collect::<Vec<_>>(),
        [&user]
    );
    // Neither is a miss: something else wrote one, the other does not fit.
    let alien = client.set_with_flags("alien", "{}", 7, Ttl::Never);
    alien.await.expect("set");
    cache.set("number", &7_u32, Ttl::Never).await.expect("set");
    for key in ["alien", "number"] {
        let error = cache.get::<User>(key).await.expect_err("no user");
        let text = error.to_string();
        assert!(text.starts_with("the value could not be read"), "{text}");
        let before = client.get(key).await;
        let found = cache.fetch(key, &how, load).await;
        assert_eq!(found.expect("loaded"), ada());
        assert_eq!(client.get(key).await, before, "and nothing stored");
    }
    assert_eq!(
        cache.replace("u", &ada(), Ttl::Never).await,
        Ok(Stored::Stored)
    );
}

#[cfg(feature = "compression")]
#[tokio::test]
async fn compressed() {
    use crate::verbs::ALL;
    use larder_client::{Error, Fetch, Stored, Ttl};

    for setup in ALL {
        let (servers, plain) = setup.pool();
        let small = setup.builder(&servers).compress_above(1000).build();
        let small = small.expect("a client");
        let text = "the same again and ".repeat(100_000);
        small
            .set_with_flags("k", &text, 7, Ttl::Never)
            .await
            .expect("more than an item may be");
        let found = plain.get("k").await.expect("get").expect("stored");
        assert_eq!(
            (found.data == text, found.flags),
            (true, 7),
            "read by every client"
        );
        let many = plain.get_many(["k"]).await;
        assert_eq!(many.found().count(), 1);
        assert!(many.found().all(|(_, found)| found.data == text));
        let load = async || Ok::<_, Error>(text.clone());
        for _ in 0..2 {
            let found = small.fetch("f", &Fetch::ttl(Ttl::Never), load).await;
            assert!(found.expect("loaded") == text);
        }
        let cas = small.cas("k", &text, found.cas, Ttl::Never).await;
        assert_eq!(cas, Ok(Stored::Stored));
        let error = small.append("k", "more").await.expect_err("refused");
        assert_eq!(
            error.to_string(),
            "the value could not be put beside one that may be compressed"
        );
        let garbage = plain.set_with_flags("k", "garbage", 0x4c5a_0007, Ttl::Never);
        garbage.await.expect("set");
        let error = plain.get("k").await.expect_err("no block").to_string();
        assert!(
            error.starts_with("the value could not be unpacked: "),
            "{error}"
        );
    }
}
