//! A link to one server that can be cut, swallow everything, or be slow.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// How the link is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Link {
    Good,
    /// Everything arrives so much later.
    Slow(Duration),
    /// Connections are reset, and new ones too.
    Down,
    /// Connections stay, new ones are taken, and nothing comes through until the link is good again; then all of it does.
    BlackHole,
}

/// The near end of the link.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    link: watch::Sender<Link>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let (link, state) = watch::channel(Link::Good);
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, server, state.clone()));
            }
        });
        Self {
            port,
            link,
            accepting,
        }
    }

    pub(crate) fn set(&self, link: Link) {
        self.link.send_replace(link);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(near: TcpStream, server: u16, mut link: watch::Receiver<Link>) {
    near.set_zero_linger().expect("a socket");
    if *link.borrow() == Link::Down {
        return;
    }
    let Ok(far) = TcpStream::connect(("127.0.0.1", server)).await else {
        return;
    };
    for stream in [&near, &far] {
        stream.set_nodelay(true).expect("a socket");
    }
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    let out = pump(near_in, far_out, link.clone());
    let back = pump(far_in, near_out, link.clone());
    tokio::select! {
        () = out => {}
        () = back => {}
        _ = link.wait_for(|link| *link == Link::Down) => {}
    }
}

/// One direction. What is on its way is held with the time at which it is due.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut link: watch::Receiver<Link>) {
    let (sender, mut due) = mpsc::channel::<(Instant, Vec<u8>)>(1024);
    let state = link.clone();
    let reading = async move {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(len @ 1..) = from.read(&mut buffer).await {
            let delay = match *state.borrow() {
                Link::Slow(delay) => delay,
                _ => Duration::ZERO,
            };
            let held = (Instant::now() + delay, buffer[..len].to_vec());
            if sender.send(held).await.is_err() {
                return;
            }
        }
    };
    let writing = async move {
        while let Some((at, bytes)) = due.recv().await {
            sleep_until(at).await;
            if link
                .wait_for(|link| *link != Link::BlackHole)
                .await
                .is_err()
                || to.write_all(&bytes).await.is_err()
            {
                return;
            }
        }
    };
    tokio::join!(reading, writing);
}
