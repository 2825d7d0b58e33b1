//! The application: a name that was logged in, and how often it came by. It keeps nothing itself.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use larder_client::{Error, SessionStore};

/// Longest name, in bytes.
const NAME_LEN_MAX: usize = 100;
/// How often a new session is tried: each has another id, and so perhaps another node, one that is not away.
const LOGIN_TRIES: usize = 16;

/// `POST /login` with a name as its body, `GET /`, `POST /logout`.
pub(crate) fn app(sessions: SessionStore) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .with_state(sessions)
}

async fn login(State(sessions): State<SessionStore>, name: String) -> Response {
    if name.is_empty() || name.len() > NAME_LEN_MAX || name.contains('\n') {
        return (StatusCode::BAD_REQUEST, "a name, of one line\n").into_response();
    }
    let mut created = sessions.create(data(&name, 0)).await;
    for _ in 1..LOGIN_TRIES {
        if created.is_ok() {
            break;
        }
        created = sessions.create(data(&name, 0)).await;
    }
    match created {
        Ok(id) => {
            let cookie = format!("session={id}; Path=/; HttpOnly; SameSite=Lax");
            ([(header::SET_COOKIE, cookie)], "welcome\n").into_response()
        }
        Err(error) => away(&error),
    }
}

async fn home(State(sessions): State<SessionStore>, headers: HeaderMap) -> Response {
    let mut greeting = String::new();
    let updated = sessions.update(session_id(&headers), |before| {
        let (name, visits) = read(before);
        greeting = format!("hello {name}, visit {}\n", visits + 1);
        data(&name, visits + 1)
    });
    match updated.await {
        Ok(true) => greeting.into_response(),
        Ok(false) => (StatusCode::UNAUTHORIZED, "who are you?\n").into_response(),
        Err(error) => away(&error),
    }
}

async fn logout(State(sessions): State<SessionStore>, headers: HeaderMap) -> Response {
    match sessions.destroy(session_id(&headers)).await {
        Ok(_) => "good bye\n".into_response(),
        Err(error) => away(&error),
    }
}

/// That a session cannot be read does not say that there is none: nobody is logged out by it.
fn away(error: &Error) -> Response {
    eprintln!("web_sessions: {error}");
    let retry = [(header::RETRY_AFTER, "1")];
    (StatusCode::SERVICE_UNAVAILABLE, retry, "in a moment\n").into_response()
}

/// What the cookie holds, if there is one.
fn session_id(headers: &HeaderMap) -> &str {
    let cookies = headers.get(header::COOKIE);
    let cookies = cookies.and_then(|cookies| cookies.to_str().ok());
    let mut pairs = cookies.unwrap_or_default().split(';').map(str::trim);
    pairs
        .find_map(|pair| pair.strip_prefix("session="))
        .unwrap_or_default()
}

/// What is kept in a session: a name and a number, a line each.
fn data(name: &str, visits: u64) -> String {
    format!("{name}\n{visits}")
}

fn read(data: &[u8]) -> (String, u64) {
    let text = String::from_utf8_lossy(data);
    let (name, visits) = text.split_once('\n').unwrap_or((&text, "0"));
    (name.to_owned(), visits.parse().unwrap_or_default())
}
