package dev.lodestone.bridge;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioDatagramChannel;
import io.netty.handler.codec.quic.QuicChannel;
import io.netty.handler.codec.quic.QuicClientCodecBuilder;
import io.netty.handler.codec.quic.QuicConnectionCloseEvent;
import io.netty.handler.codec.quic.QuicSslContext;
import io.netty.handler.codec.quic.QuicSslContextBuilder;
import io.netty.handler.codec.quic.QuicStreamChannel;
import io.netty.handler.codec.quic.QuicStreamType;
import java.io.File;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * A session of a client on Netty's QUIC, written from docs/protocol.md alone: it knows nothing of the engine's classes. One
 * thread calls it; every wait has an end.
 */
final class NettySession implements AutoCloseable {
    static final int HELLO = 0x01;
    static final int WELCOME = 0x02;
    static final int MOVE = 0x10;
    static final int ACK = 0x11;
    static final int REJECT = 0x12;
    static final int RELEASE = 0x18;
    static final int ROUTE = 0x20;
    static final int PATH = 0x21;
    static final int READ = 0x28;
    static final int STATE = 0x29;
    static final int CLOSE = 0x7e;
    static final int ACK_EACH = 1;
    private static final int HEADER_BYTES = 16;
    private static final int DIGEST_BYTES = 32;
    private static final int HEAD_BYTES = 24;
    private static final int WAIT_S = 120;
    private static final int WINDOW_BYTES = 1 << 20;

    /** One frame of the server. */
    record Frame(int type, int flags, int session, long counter, ByteBuffer body) {}

    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
    private final BlockingQueue<Frame> frames = new LinkedBlockingQueue<>();
    private final BlockingQueue<Frame> datagrams = new LinkedBlockingQueue<>();
    private final CompletableFuture<Integer> ended = new CompletableFuture<>();
    private final QuicChannel connection;
    private final QuicStreamChannel stream;
    private int session;
    private long next;

    NettySession(InetSocketAddress server, File certificate) throws Exception {
        QuicSslContext tls =
                QuicSslContextBuilder.forClient().trustManager(certificate).applicationProtocols("lodestone/1").build();
        Channel socket = new Bootstrap().group(group).channel(NioDatagramChannel.class)
                // The engine with a name, so that the certificate is held against it.
                .handler(new QuicClientCodecBuilder()
                        .sslEngineProvider(channel -> tls.newEngine(channel.alloc(), "localhost", server.getPort()))
                        .maxIdleTimeout(30, TimeUnit.SECONDS)
                        .initialMaxData(WINDOW_BYTES)
                        .initialMaxStreamDataBidirectionalLocal(WINDOW_BYTES)
                        .datagram(1_024, 1_024)
                        .build())
                .bind(0).sync().channel();
        connection = QuicChannel.newBootstrap(socket).handler(new Watch()).streamHandler(new ChannelInboundHandlerAdapter())
                .remoteAddress(server).connect().get(WAIT_S, TimeUnit.SECONDS);
        stream = connection.createStream(QuicStreamType.BIDIRECTIONAL, new Frames()).get(WAIT_S, TimeUnit.SECONDS);
    }

    /** HELLO alone. What answers a bad one may be dropped by quiche with the end of the connection that follows it. */
    void hello(int version) {
        ByteBuffer body = little(4).putShort((short) version).putShort((short) 0);
        send(HELLO, 0, body.array());
    }

    /** HELLO, and the WELCOME that answers it. */
    Frame greet(int version) throws Exception {
        hello(version);
        Frame welcome = frame();
        session = welcome.session();
        return welcome;
    }

    /** Sends a frame on the stream; its counter. */
    long send(int type, int flags, byte[] body) {
        long counter = next++;
        stream.writeAndFlush(Unpooled.wrappedBuffer(bytes(type, flags, counter, body)));
        return counter;
    }

    long sendMove(int flags, byte[] packet, boolean spoilDigest) throws NoSuchAlgorithmException {
        return send(MOVE, flags, moveBody(flags, next, packet, spoilDigest));
    }

    void sendDatagram(int type, int flags, long counter, byte[] body) {
        connection.writeAndFlush(Unpooled.wrappedBuffer(bytes(type, flags, counter, body)));
    }

    byte[] moveBody(int flags, long counter, byte[] packet, boolean spoilDigest) throws NoSuchAlgorithmException {
        byte[] body = new byte[DIGEST_BYTES + packet.length];
        System.arraycopy(packet, 0, body, DIGEST_BYTES, packet.length);
        MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
        sha256.update(bytes(MOVE, flags, counter, body), 0, HEADER_BYTES);
        byte[] digest = sha256.digest(packet);
        digest[0] ^= (byte) (spoilDigest ? 1 : 0);
        System.arraycopy(digest, 0, body, 0, DIGEST_BYTES);
        return body;
    }

    static byte[] packet(int source, int target, int mask, long version, byte[] payload) {
        return little(HEAD_BYTES + payload.length).putInt(source).putInt(target).putInt(mask).putShort((short) 0)
                .putShort((short) payload.length).putLong(version).put(payload).array();
    }

    static byte[] pair(int first, int second) {
        return little(Long.BYTES).putInt(first).putInt(second).array();
    }

    /** The next frame of the stream. */
    Frame frame() throws InterruptedException {
        return taken(frames, "frame");
    }

    /** The next frame that came as a datagram. */
    Frame datagram() throws InterruptedException {
        return taken(datagrams, "datagram");
    }

    /** The next frame of this type; ACKs before it are skipped. */
    Frame answer(int type) throws InterruptedException {
        Frame found = frame();
        while (found.type() == ACK && type != ACK) {
            found = frame();
        }
        if (found.type() != type) {
            throw new AssertionError("a frame of type " + found.type() + " instead of " + type);
        }
        return found;
    }

    /** The application code with which the server ended the connection. */
    int ended() throws Exception {
        return ended.get(WAIT_S, TimeUnit.SECONDS);
    }

    @Override
    public void close() {
        connection.close();
        group.shutdownGracefully(0, WAIT_S, TimeUnit.SECONDS).awaitUninterruptibly();
    }

    private static Frame taken(BlockingQueue<Frame> queue, String what) throws InterruptedException {
        Frame found = queue.poll(WAIT_S, TimeUnit.SECONDS);
        if (found == null) {
            throw new AssertionError("no " + what + " within " + WAIT_S + " s");
        }
        return found;
    }

    private static ByteBuffer little(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    private byte[] bytes(int type, int flags, long counter, byte[] body) {
        return little(HEADER_BYTES + body.length).put((byte) type).put((byte) flags).putShort((short) body.length)
                .putInt(session).putLong(counter).put(body).array();
    }

    /** Takes whole frames off the front. */
    private static void cut(ByteBuf bytes, BlockingQueue<Frame> into) {
        while (bytes.readableBytes() >= HEADER_BYTES) {
            int start = bytes.readerIndex();
            int length = bytes.getUnsignedShortLE(start + 2);
            if (bytes.readableBytes() < HEADER_BYTES + length) {
                return;
            }
            byte[] body = new byte[length];
            bytes.getBytes(start + HEADER_BYTES, body);
            into.add(new Frame(bytes.getUnsignedByte(start), bytes.getUnsignedByte(start + 1), bytes.getIntLE(start + 4),
                    bytes.getLongLE(start + 8), ByteBuffer.wrap(body).order(ByteOrder.LITTLE_ENDIAN)));
            bytes.skipBytes(HEADER_BYTES + length);
        }
    }

    /** The connection: datagrams, and how it ends. */
    private final class Watch extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            ByteBuf bytes = (ByteBuf) message;
            cut(bytes, datagrams);
            bytes.release();
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext context, Object event) {
            if (event instanceof QuicConnectionCloseEvent close && close.isApplicationClose()) {
                ended.complete(close.error());
            }
        }
    }

    /** The stream of HELLO. */
    private final class Frames extends ChannelInboundHandlerAdapter {
        private final ByteBuf carried = Unpooled.buffer();

        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            ByteBuf bytes = (ByteBuf) message;
            carried.writeBytes(bytes);
            bytes.release();
            cut(carried, frames);
            carried.discardReadBytes();
        }
    }
}
