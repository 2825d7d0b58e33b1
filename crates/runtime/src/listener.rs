//! The listening thread: accepts connections and hands each to the worker with the fewest.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::Sender;

use crate::address::Address;
use crate::client_limits::ClientLimits;
use crate::clock::Clock;
use crate::config::Endpoint;
use crate::conn::Conn;
use crate::daemon::{Daemon, Stop};
use crate::event_loop::EventLoop;
use crate::execute::{FRESH, LISTENING};
use crate::gate::Gate;
use crate::limits::ACCEPT_REST;
use crate::quota::{Cause, Quota};
use crate::seats::{Seat, Seats};
use crate::shared::{ConnInfo, Shared};
use crate::socket::{Accepted, ListenSocket, Socket, is_out_of_descriptors};
use larder_protocol::text::ErrorText;

/// Where a worker takes its new connections from.
pub(crate) struct Inbox {
    pub(crate) sender: Sender<Box<Conn>>,
    pub(crate) waker: Arc<mio::Waker>,
}

/// A socket to listen on, and what is spoken there.
pub(crate) struct Listening {
    pub(crate) socket: ListenSocket,
    endpoint: Endpoint,
}

impl Listening {
    /// Binds it.
    pub(crate) fn open(endpoint: &Endpoint, backlog: u32) -> io::Result<Self> {
        Ok(Self {
            socket: ListenSocket::open(&endpoint.place, backlog)?,
            endpoint: endpoint.clone(),
        })
    }
}

/// The listening thread.
pub(crate) struct Listener {
    pub(crate) shared: Arc<Shared>,
    pub(crate) clock: Clock,
    pub(crate) event_loop: EventLoop,
    pub(crate) daemon: Arc<dyn Daemon>,
    pub(crate) gate: Option<Arc<Gate>>,
    pub(crate) listening: Vec<Listening>,
    pub(crate) inboxes: Vec<Inbox>,
    pub(crate) conn_limit: usize,
    pub(crate) maxconns_fast: bool,
    pub(crate) quota: Quota,
    /// Since when accepting rests, on the clock.
    pub(crate) resting_since: Option<Duration>,
    pub(crate) client_limits: ClientLimits,
    pub(crate) seats: Seats<Address>,
    /// Kept for `stats conns`.
    pub(crate) faces: Vec<Arc<ConnInfo>>,
}

impl Listener {
    /// Accepts until the process is asked to stop; says why it was.
    pub(crate) fn run(mut self) -> io::Result<Stop> {
        for (number, listening) in self.listening.iter_mut().enumerate() {
            let socket = &mut listening.socket;
            self.event_loop.add_listener(socket, number)?;
            let (fd, name) = socket.face();
            let now = self.clock.now();
            let info = ConnInfo::new(fd, None, name, String::new(), now, LISTENING);
            let info = Arc::new(info);
            self.shared.register_conn(&info);
            // memcached counts its listening sockets too.
            self.shared.globals.total_connections.add(1);
            self.faces.push(info);
        }
        let stop = loop {
            let timeout = self.resting_since.map(|_| ACCEPT_REST);
            let mut ready = Vec::new();
            self.event_loop
                .wait(timeout, |event| ready.push(event.number))?;
            if let Some(stop) = self.shared.stop() {
                break stop;
            }
            if self.end_rest() {
                ready = (0..self.listening.len()).collect();
            }
            for number in ready {
                self.accept_all(number);
            }
        };
        for inbox in &self.inboxes {
            inbox.waker.wake()?;
        }
        Ok(stop)
    }

    /// Accepts what waits at one socket.
    fn accept_all(&mut self, number: usize) {
        while self.resting_since.is_none() && self.shared.stop().is_none() {
            if self.full() {
                self.rest("the limit of connections (-c) is reached");
                return;
            }
            match self.listening[number].socket.accept() {
                Ok(accepted) => self.take_in(accepted, number),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if is_out_of_descriptors(&error) => {
                    self.rest(
                        "no file descriptor is left; raise the limit of open files or lower -c",
                    );
                }
                // The client is gone already: the next one may be there.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Out of memory, most likely.
                Err(error) => self.rest(&format!("accept: {error}")),
            }
        }
    }

    /// Whether connections wait in the kernel's queue until another is closed.
    fn full(&self) -> bool {
        !self.maxconns_fast && !self.has_room(self.shared.conn_count())
    }

    /// Whether there is room for one more than so many. Where `-c` is reached, one that is coming in gives way to it, which
    /// is its worker's to do: so those who never come in keep nobody out.
    fn has_room(&self, open: usize) -> bool {
        open < self.conn_limit + self.shared.entering_count()
    }

    fn take_in(&mut self, accepted: Accepted, number: usize) {
        let open = self.shared.conn_count();
        if !self.has_room(open) {
            let why = format!("{open} connections are open (-c {})", self.conn_limit);
            return self.turn_away(accepted, number, &why);
        }
        let (shared, limits) = (&self.shared, &self.client_limits);
        let for_admins = self.gate.is_some() && shared.only_admins(limits, self.conn_limit);
        let seat = match self.seat(&accepted) {
            Ok(seat) => seat,
            Err(why) => return self.turn_away(accepted, number, &why),
        };
        let Accepted {
            socket,
            remote,
            peer,
            local,
        } = accepted;
        let Some(socket) = self.in_its_tls(socket, number, &peer) else {
            return;
        };
        let globals = &self.shared.globals;
        globals.total_connections.add(1);
        let most = self.conn_limit.min(open + 1);
        globals.conns_peak.raise_to(most as u64);
        if let Some(left_out) = self.quota.take(Cause::Conn, self.clock.now()) {
            log::debug!("{peer}: connected{left_out}");
        }
        let info = ConnInfo::new(socket.fd(), remote, peer, local, self.clock.now(), FRESH);
        let info = Arc::new(info);
        self.shared.register_conn(&info);
        let worker = match open < self.conn_limit {
            true => self.shared.least_loaded(),
            false => self.shared.most_entered(),
        };
        let protocol = self.listening[number].endpoint.protocol;
        let gate = self.gate.as_ref();
        let conn = Conn::new(socket, info, protocol, gate, seat, for_admins);
        let face = &self.shared.workers[worker];
        face.conns.add(1);
        face.entering.add(u64::from(conn.entering));
        let inbox = &self.inboxes[worker];
        // A worker that does not take it has ended, and so will this thread.
        if inbox.sender.send(Box::new(conn)).is_ok()
            && let Err(error) = inbox.waker.wake()
        {
            log::error!("a worker cannot be woken: {error}");
        }
    }

    /// A connection's seat among those of its address, or why it gets none. Those by a Unix socket need none.
    fn seat(&mut self, accepted: &Accepted) -> Result<Option<Seat>, String> {
        let most = self.client_limits.conns_per_address;
        let address = Address::of(accepted.remote).filter(|_| most > 0);
        let Some(address) = address else {
            return Ok(None);
        };
        if let Some(seat) = self.seats.take(address, most) {
            return Ok(Some(seat));
        }
        self.shared.globals.over_address_limit.add(1);
        Err(format!(
            "{most} connections of its address are open (-o conns_per_address)"
        ))
    }

    /// Tells a connection that there are too many, and closes it.
    fn turn_away(&mut self, accepted: Accepted, number: usize, why: &str) {
        let Accepted {
            mut socket, peer, ..
        } = accepted;
        self.shared.globals.rejected_connections.add(1);
        if self.listening[number].endpoint.tls.is_none() {
            // One try: whoever does not take it is not waited for.
            let _ = socket.write(ErrorText::TooManyConnections.line());
        }
        if let Some(left_out) = self.quota.take(Cause::Refused, self.clock.now()) {
            log::warn!("{peer}: rejected, {why}{left_out}");
        }
    }

    /// The socket as the endpoint that it came by wants it: plain, or by TLS with the certificates in force. `None` if that
    /// cannot be had, which is logged.
    fn in_its_tls(&mut self, socket: Socket, number: usize, peer: &str) -> Option<Socket> {
        let Some(cert) = self.listening[number].endpoint.tls else {
            return Some(socket);
        };
        let configs = self.daemon.tls();
        let config = configs.as_ref().and_then(|all| all.for_clients(cert));
        let failed = match config.map(|config| socket.over_tls(config)) {
            Some(Ok(socket)) => return Some(socket),
            Some(Err(error)) => error.to_string(),
            None => "no certificates are in force for this port".to_owned(),
        };
        if let Some(left_out) = self.quota.take(Cause::System, self.clock.now()) {
            log::warn!("{peer}: TLS cannot be had: {failed}{left_out}");
        }
        None
    }

    /// Stops accepting for a while; connections wait in the kernel's queue.
    fn rest(&mut self, why: &str) {
        let globals = &self.shared.globals;
        globals.accepting.turn(false);
        globals.listen_disabled_num.add(1);
        self.resting_since = Some(self.clock.elapsed());
        if let Some(left_out) = self.quota.take(Cause::Rest, self.clock.now()) {
            log::warn!("not accepting connections for now: {why}{left_out}");
        }
    }

    /// Goes on accepting if the rest is over. True if it was.
    fn end_rest(&mut self) -> bool {
        let Some(since) = self.resting_since else {
            return false;
        };
        let rested = self.clock.elapsed() - since;
        if rested < ACCEPT_REST || self.full() {
            return false;
        }
        self.resting_since = None;
        let globals = &self.shared.globals;
        globals.listen_disabled_us.add(rested.as_micros() as u64);
        globals.accepting.turn(true);
        true
    }
}
