//! Sockets and connections: from an address to a welcomed session.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Endpoint, EndpointConfig, TokioRuntime, TransportConfig, VarInt};
use socket2::{Domain, Protocol, Socket, Type};

use crate::datagram::{DatagramReceiver, DatagramSender};
use crate::error::ClientError;
use crate::identity::ClientIdentity;
use crate::status::Status;
use crate::stream::{StreamReceiver, StreamSender};
use crate::trust::TrustAnchor;
use crate::updates::UpdateReceiver;
use crate::wire::{ALPN, VERSION, VERSION_LATEST, VERSION_UPDATES, put_hello};

/// How long [`Session::wait_idle`] waits for the server to confirm the close before it gives up.
const CLOSE_WAIT_MS: u64 = 1_000;

/// How a [`Client`] behaves towards the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientOptions {
    /// Interval of the packets that keep a quiet connection alive, in milliseconds; below the idle limit.
    pub keep_alive_ms: u64,
    /// A connection on which nothing comes for this long is lost, in milliseconds. The server's limit is 30,000; less finds
    /// a dead path sooner, and takes a slow one for dead.
    pub idle_timeout_ms: u32,
    /// Longest wait for WELCOME, in milliseconds.
    pub connect_timeout_ms: u64,
    /// Whether to look for larger packets than 1,200 bytes. Off saves two round trips of packets per connection.
    pub path_mtu_discovery: bool,
    /// Assumed round trip before the first measurement, in milliseconds. A lost first packet is sent again after three
    /// of these.
    pub initial_rtt_ms: u64,
    /// Receive and send buffer of the socket, in bytes; the system may grant less. Each answer that finds it full is
    /// lost and comes again only after a time-out, so it should hold what all sessions of the socket receive while
    /// their tasks wait for a processor.
    pub socket_buffer_bytes: usize,
    /// Whether a client that comes back shows its ticket of the last connection instead of being shown the certificate
    /// again. Off for whoever measures whole handshakes.
    pub resumption: bool,
    /// Whether sessions can be told of changes: they speak protocol version 3 then, or 2 where the server knows no more. A
    /// server without subscriptions refuses both.
    pub updates: bool,
}

impl Default for ClientOptions {
    fn default() -> ClientOptions {
        ClientOptions {
            keep_alive_ms: 10_000,
            idle_timeout_ms: 30_000,
            connect_timeout_ms: 10_000,
            path_mtu_discovery: true,
            initial_rtt_ms: 333,
            socket_buffer_bytes: 1 << 20,
            resumption: true,
            updates: false,
        }
    }
}

/// One UDP socket that any number of sessions share. Cheap to clone; all clones are the same socket.
#[derive(Clone, Debug)]
pub struct Client {
    endpoint: Endpoint,
    server_name: Option<String>,
    connect_timeout_ms: u64,
    updates: bool,
}

impl Client {
    /// Opens a session over a socket of its own, with the default options.
    ///
    /// `token` is what the server's operator issued; servers without authentication ignore it.
    ///
    /// # Errors
    /// Those of [`bind`](Client::bind) and [`open_session`](Client::open_session).
    pub async fn connect(
        address: SocketAddr,
        trust: &TrustAnchor,
        token: Option<&[u8]>,
    ) -> Result<Session, ClientError> {
        Client::connect_with(address, trust, None, token, &ClientOptions::default()).await
    }

    /// Opens a session over a socket of its own, showing a certificate of the client to servers that ask for one.
    ///
    /// # Errors
    /// Those of [`bind_as`](Client::bind_as) and [`open_session`](Client::open_session).
    pub async fn connect_with(
        address: SocketAddr,
        trust: &TrustAnchor,
        identity: Option<&ClientIdentity>,
        token: Option<&[u8]>,
        options: &ClientOptions,
    ) -> Result<Session, ClientError> {
        let client = Client::bind_as(any_port_towards(address), trust, identity, options)?;
        let opened = client.open_session(address, token).await;
        if let Err(ClientError::Refused { .. }) = opened {
            // Before the socket goes: the server holds the connection until it knows that its refusal has arrived.
            client.wait_idle().await;
        }
        opened
    }

    /// Opens a UDP socket for many sessions. `local` is the address to send from; port 0 takes any free one.
    ///
    /// # Errors
    /// [`ClientError::Bind`] or [`ClientError::TrustAnchor`].
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn bind(local: SocketAddr, trust: &TrustAnchor, options: &ClientOptions) -> Result<Client, ClientError> {
        Client::bind_as(local, trust, None, options)
    }

    /// As [`bind`](Client::bind), for sessions that show a certificate of the client to servers that ask for one.
    ///
    /// # Errors
    /// Those of [`bind`](Client::bind), and [`ClientError::Identity`].
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn bind_as(
        local: SocketAddr,
        trust: &TrustAnchor,
        identity: Option<&ClientIdentity>,
        options: &ClientOptions,
    ) -> Result<Client, ClientError> {
        let config = quic_config(trust, identity, options)?;
        let mut endpoint = open_endpoint(local, options)
            .map_err(|source| ClientError::Bind { address: local, source: Arc::new(source) })?;
        endpoint.set_default_client_config(config);
        Ok(Client {
            endpoint,
            server_name: trust.server_name().map(str::to_owned),
            connect_timeout_ms: options.connect_timeout_ms,
            updates: options.updates,
        })
    }

    /// Shakes hands, says HELLO and waits for WELCOME.
    ///
    /// # Errors
    /// [`Handshake`](ClientError::Handshake), [`ConnectTimeout`](ClientError::ConnectTimeout),
    /// [`Refused`](ClientError::Refused) with UNAUTHORIZED or VERSION_UNSUPPORTED, [`Closed`](ClientError::Closed),
    /// [`Lost`](ClientError::Lost), [`Protocol`](ClientError::Protocol), [`TooLong`](ClientError::TooLong) for the token.
    pub async fn open_session(&self, address: SocketAddr, token: Option<&[u8]>) -> Result<Session, ClientError> {
        let timeout = Duration::from_millis(self.connect_timeout_ms);
        let opening = async {
            if !self.updates {
                return self.open_session_patiently(address, token, VERSION).await;
            }
            match self.open_session_patiently(address, token, VERSION_LATEST).await {
                Err(ClientError::Refused { status: Status::VERSION_UNSUPPORTED }) => {
                    self.open_session_patiently(address, token, VERSION_UPDATES).await
                }
                opened => opened,
            }
        };
        tokio::time::timeout(timeout, opening)
            .await
            .unwrap_or(Err(ClientError::ConnectTimeout { address, timeout_ms: self.connect_timeout_ms }))
    }

    async fn open_session_patiently(
        &self,
        address: SocketAddr,
        token: Option<&[u8]>,
        version: u16,
    ) -> Result<Session, ClientError> {
        let started = Instant::now();
        let ip_name = address.ip().to_string();
        let connecting = self
            .endpoint
            .connect(address, self.server_name.as_deref().unwrap_or(&ip_name))
            .map_err(|error| ClientError::Handshake { address, reason: error.to_string() })?;
        let connection =
            connecting.await.map_err(|error| ClientError::Handshake { address, reason: error.to_string() })?;
        let handshake = started.elapsed();

        let (mut send, receive) = connection.open_bi().await?;
        let mut hello = Vec::new();
        put_hello(&mut hello, version, token.unwrap_or(&[]))?;
        send.write_all(&hello).await?;
        let mut receiver = StreamReceiver::new(receive, 0);
        let frame = receiver.welcome(version).await?;
        let welcome = Welcome {
            session: frame.session,
            streams_max: frame.streams_max,
            revision: frame.revision,
            nodes_max: frame.nodes_max,
            packet_max: frame.packet_max,
        };
        // HELLO was counter 0 of this stream.
        let sender = StreamSender::new(send, welcome.session, 1);
        let datagrams = (
            DatagramSender::new(connection.clone(), welcome.session),
            DatagramReceiver::new(connection.clone(), welcome.session),
        );
        let updates = UpdateReceiver::new(connection.clone(), welcome.session);
        Ok(Session {
            endpoint: self.endpoint.clone(),
            connection,
            updates: Some(updates).filter(|_| version >= VERSION_UPDATES),
            version,
            welcome,
            first_stream: Some((sender, receiver)),
            datagrams: Some(datagrams),
            handshake,
            welcomed: started.elapsed(),
        })
    }

    /// The local address of the socket.
    ///
    /// # Errors
    /// [`ClientError::Lost`] when the system no longer knows it.
    pub fn local_address(&self) -> Result<SocketAddr, ClientError> {
        self.endpoint.local_addr().map_err(|error| ClientError::Lost { reason: error.to_string() })
    }

    /// Waits until every session of this socket is over and its server knows, for at most one second.
    pub async fn wait_idle(&self) {
        wait_idle(&self.endpoint).await;
    }
}

/// What the server said in WELCOME.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The session's number, never 0.
    pub session: u32,
    /// Streams that may be open at once, at least 128.
    pub streams_max: u32,
    /// The state's revision when the session began.
    pub revision: u64,
    /// Nodes are numbered below this.
    pub nodes_max: u32,
    /// Longest packet of a MOVE, in bytes.
    pub packet_max: u16,
}

/// A QUIC connection whose HELLO was accepted.
///
/// Dropping it does not end the connection as long as one of its streams or datagram halves lives.
#[derive(Debug)]
pub struct Session {
    endpoint: Endpoint,
    connection: quinn::Connection,
    version: u16,
    welcome: Welcome,
    first_stream: Option<(StreamSender, StreamReceiver)>,
    datagrams: Option<(DatagramSender, DatagramReceiver)>,
    updates: Option<UpdateReceiver>,
    handshake: Duration,
    welcomed: Duration,
}

impl Session {
    /// What the server said in WELCOME.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// The version of the protocol that both sides speak: 1, or with [`ClientOptions::updates`] 3, or 2 with a server that
    /// knows no updates by datagram.
    pub fn version(&self) -> u16 {
        self.version
    }

    /// Time from the start of the connection to the end of the TLS handshake.
    pub fn handshake_time(&self) -> Duration {
        self.handshake
    }

    /// Time from the start of the connection to WELCOME.
    pub fn welcome_time(&self) -> Duration {
        self.welcomed
    }

    /// The stream that carried HELLO; `None` after the first call. It is a stream like any other, and the one on which
    /// the server reports rollbacks ([`Reject::is_rollback`](crate::Reject::is_rollback)).
    pub fn take_first_stream(&mut self) -> Option<(StreamSender, StreamReceiver)> {
        self.first_stream.take()
    }

    /// The two halves for datagrams; `None` after the first call, because a session has one datagram counter.
    pub fn take_datagrams(&mut self) -> Option<(DatagramSender, DatagramReceiver)> {
        self.datagrams.take()
    }

    /// What the session is told of; `None` after the first call, and without [`ClientOptions::updates`].
    pub fn take_updates(&mut self) -> Option<UpdateReceiver> {
        self.updates.take()
    }

    /// Opens another stream; waits while as many are open as the server allows.
    ///
    /// # Errors
    /// [`ClientError::Closed`], [`ClientError::ClosedHere`] or [`ClientError::Lost`] when the session is over.
    pub async fn open_stream(&self) -> Result<(StreamSender, StreamReceiver), ClientError> {
        let (send, receive) = self.connection.open_bi().await?;
        let session = self.welcome.session;
        Ok((StreamSender::new(send, session, 0), StreamReceiver::new(receive, session)))
    }

    /// The server's address.
    pub fn remote_address(&self) -> SocketAddr {
        self.connection.remote_address()
    }

    /// Waits until the session is over and says why.
    pub async fn closed(&self) -> ClientError {
        self.connection.closed().await.into()
    }

    /// Ends the session at once: what is still on its way, in either direction, may be lost. To lose nothing, finish
    /// the streams and read their answers to the end first.
    pub fn close(&self, text: &str) {
        self.connection.close(VarInt::from_u32(0), text.as_bytes());
    }

    /// Waits until every session of this session's socket is over and its server knows, for at most one second.
    pub async fn wait_idle(&self) {
        wait_idle(&self.endpoint).await;
    }
}

async fn wait_idle(endpoint: &Endpoint) {
    // A server that is gone confirms nothing; giving up then is the right end, not an error.
    let _ = tokio::time::timeout(Duration::from_millis(CLOSE_WAIT_MS), endpoint.wait_idle()).await;
}

fn open_endpoint(local: SocketAddr, options: &ClientOptions) -> io::Result<Endpoint> {
    let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
    if local.is_ipv6() {
        // Reaches IPv4 servers too, where the system allows it.
        let _ = socket.set_only_v6(false);
    }
    // A smaller buffer than asked for is slower under bursts, never wrong.
    let _ = socket.set_recv_buffer_size(options.socket_buffer_bytes);
    let _ = socket.set_send_buffer_size(options.socket_buffer_bytes);
    socket.bind(&local.into())?;
    Endpoint::new(EndpointConfig::default(), None, socket.into(), Arc::new(TokioRuntime))
}

/// The address to send from for reaching `address`.
pub(crate) fn any_port_towards(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    SocketAddr::new(ip, 0)
}

fn quic_config(
    trust: &TrustAnchor,
    identity: Option<&ClientIdentity>,
    options: &ClientOptions,
) -> Result<quinn::ClientConfig, ClientError> {
    let unusable = |reason: String| ClientError::TrustAnchor { reason };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| unusable(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(trust.verifier(provider)?);
    let mut tls = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let (chain, key) = identity.parts();
            let refused = |error: rustls::Error| ClientError::Identity { reason: error.to_string() };
            builder.with_client_auth_cert(chain, key).map_err(refused)?
        }
    };
    tls.alpn_protocols = vec![ALPN.to_vec()];
    if !options.resumption {
        tls.resumption = rustls::client::Resumption::disabled();
    }
    let quic = QuicClientConfig::try_from(tls).map_err(|error| unusable(error.to_string()))?;

    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(u32::from(options.updates)))
        .max_idle_timeout(Some(VarInt::from_u32(options.idle_timeout_ms).into()))
        .keep_alive_interval(Some(Duration::from_millis(options.keep_alive_ms)))
        .initial_rtt(Duration::from_millis(options.initial_rtt_ms));
    if !options.path_mtu_discovery {
        transport.mtu_discovery_config(None);
    }
    let mut config = quinn::ClientConfig::new(Arc::new(quic));
    config.transport_config(Arc::new(transport));
    Ok(config)
}
