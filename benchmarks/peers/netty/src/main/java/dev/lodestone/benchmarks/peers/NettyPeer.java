package dev.lodestone.benchmarks.peers;

import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollDatagramChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.handler.codec.quic.EpollQuicUtils;
import io.netty.handler.codec.quic.QuicChannelOption;
import io.netty.handler.codec.quic.QuicCodecDispatcher;
import io.netty.handler.codec.quic.QuicConnectionIdGenerator;
import io.netty.handler.codec.quic.QuicServerCodecBuilder;
import io.netty.handler.codec.quic.QuicSslContext;
import io.netty.handler.codec.quic.QuicSslContextBuilder;
import io.netty.handler.ssl.ApplicationProtocolConfig;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.io.File;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/** The main class: {@code NettyPeer quic|tcp FOLDER NODES}; the folder holds cert.pem and key.pem. Ends with a signal. */
public final class NettyPeer {
    private static final String PROTOCOL = "lodestone/1";
    private static final int SOCKET_BUFFER_BYTES = 4 << 20;
    private static final int DATAGRAM_BYTES = 2_048;
    /** Datagrams that one system call may bring. */
    private static final int DATAGRAMS_AT_ONCE = 32;
    /** Segments of a packet train that one system call may take. */
    private static final int SEGMENTS_MAX = 10;
    private static final int STREAM_WINDOW_BYTES = 64 * 1_024;
    private static final int CONNECTION_WINDOW_BYTES = 2 << 20;
    private static final int STREAMS_MAX = 128;
    private static final int IDLE_TIMEOUT_S = 30;
    private static final int BACKLOG = 1_024;

    private NettyPeer() {
    }

    /**
     * Serves until the process is told to end.
     *
     * @param arguments quic or tcp, the folder of the certificate, the number of nodes
     * @throws Exception when a port or the certificate cannot be used
     */
    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[1]);
        File certificate = folder.resolve("cert.pem").toFile();
        File key = folder.resolve("key.pem").toFile();
        Slots slots = new Slots(Integer.parseInt(arguments[2]));
        // As many loops as processors: what Netty's own default doubles, which costs without bringing anything here.
        int loops = Runtime.getRuntime().availableProcessors();
        EventLoopGroup group = new MultiThreadIoEventLoopGroup(loops, EpollIoHandler.newFactory());
        int port = arguments[0].equals("quic")
            ? quic(group, loops, certificate, key, slots)
            : tcp(group, certificate, key, slots);
        long pid = ProcessHandle.current().pid();
        System.out.println("LODESTONE READY quic=127.0.0.1:" + port + " cert=" + certificate + " pid=" + pid);
        group.terminationFuture().sync();
    }

    private static ChannelHandler moves(Slots slots) {
        return new ChannelInitializer<Channel>() {
            @Override
            protected void initChannel(Channel channel) {
                channel.pipeline().addLast(new MoveHandler(slots));
            }
        };
    }

    /** One socket a loop on the same port, and Netty's dispatcher, which keeps connections that change their address. */
    private static int quic(EventLoopGroup group, int sockets, File certificate, File key, Slots slots)
        throws InterruptedException {
        QuicSslContext tls = QuicSslContextBuilder.forServer(key, null, certificate).applicationProtocols(PROTOCOL).build();
        Bootstrap bootstrap = new Bootstrap().group(group)
            .channel(EpollDatagramChannel.class)
            .option(EpollChannelOption.SO_REUSEPORT, true)
            .option(ChannelOption.SO_RCVBUF, SOCKET_BUFFER_BYTES)
            .option(ChannelOption.SO_SNDBUF, SOCKET_BUFFER_BYTES)
            .option(EpollChannelOption.MAX_DATAGRAM_PAYLOAD_SIZE, DATAGRAM_BYTES)
            .option(ChannelOption.RECVBUF_ALLOCATOR, new FixedRecvByteBufAllocator(DATAGRAM_BYTES * DATAGRAMS_AT_ONCE))
            .handler(new QuicCodecDispatcher() {
                @Override
                protected void initChannel(Channel channel, int idBytes, QuicConnectionIdGenerator ids) {
                    channel.pipeline().addLast(codec(tls, idBytes, ids, slots));
                }
            });
        int port = 0;
        for (int index = 0; index < sockets; index++) {
            Channel bound = bootstrap.bind(new InetSocketAddress("127.0.0.1", port)).sync().channel();
            port = ((InetSocketAddress) bound.localAddress()).getPort();
        }
        return port;
    }

    private static ChannelHandler codec(QuicSslContext tls, int idBytes, QuicConnectionIdGenerator ids, Slots slots) {
        return new QuicServerCodecBuilder()
            .sslContext(tls)
            .localConnectionIdLength(idBytes)
            .connectionIdAddressGenerator(ids)
            // No Retry, like the others.
            .tokenHandler(null)
            .maxIdleTimeout(IDLE_TIMEOUT_S, TimeUnit.SECONDS)
            .initialMaxData(CONNECTION_WINDOW_BYTES)
            .initialMaxStreamDataBidirectionalRemote(STREAM_WINDOW_BYTES)
            .initialMaxStreamsBidirectional(STREAMS_MAX)
            .option(QuicChannelOption.SEGMENTED_DATAGRAM_PACKET_ALLOCATOR, EpollQuicUtils.newSegmentedAllocator(SEGMENTS_MAX))
            .handler(new ChannelInboundHandlerAdapter() {
                @Override
                public boolean isSharable() {
                    return true;
                }
            })
            .streamHandler(moves(slots))
            .build();
    }

    private static int tcp(EventLoopGroup group, File certificate, File key, Slots slots) throws Exception {
        SslContext tls = SslContextBuilder.forServer(certificate, key)
            .sslProvider(SslProvider.OPENSSL)
            .protocols("TLSv1.3")
            .applicationProtocolConfig(new ApplicationProtocolConfig(ApplicationProtocolConfig.Protocol.ALPN,
                ApplicationProtocolConfig.SelectorFailureBehavior.NO_ADVERTISE,
                ApplicationProtocolConfig.SelectedListenerFailureBehavior.ACCEPT, PROTOCOL))
            .build();
        Channel bound = new ServerBootstrap().group(group)
            .channel(EpollServerSocketChannel.class)
            .option(ChannelOption.SO_BACKLOG, BACKLOG)
            .childOption(ChannelOption.TCP_NODELAY, true)
            .childHandler(new ChannelInitializer<Channel>() {
                @Override
                protected void initChannel(Channel channel) {
                    channel.pipeline().addLast(tls.newHandler(channel.alloc()), new MoveHandler(slots));
                }
            })
            .bind(new InetSocketAddress("127.0.0.1", 0)).sync().channel();
        return ((InetSocketAddress) bound.localAddress()).getPort();
    }
}
