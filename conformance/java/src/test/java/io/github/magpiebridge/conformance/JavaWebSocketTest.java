package io.github.magpiebridge.conformance;

import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.java_websocket.client.WebSocketClient;
import org.java_websocket.drafts.Draft_6455;
import org.java_websocket.framing.Framedata;
import org.java_websocket.framing.PingFrame;
import org.java_websocket.handshake.ServerHandshake;
import org.java_websocket.protocols.Protocol;
import org.junit.jupiter.api.DisplayName;

/** The library Java-WebSocket. */
@DisplayName("Java-WebSocket")
final class JavaWebSocketTest extends Conformance {
    /** The library tells the status of a refused handshake only in a sentence. */
    private static final Pattern STATUS = Pattern.compile("Invalid status code received: (\\d+)");

    JavaWebSocketTest() {
        super(JavaWebSocketTest::open);
    }

    private static Line open(URI uri, Map<String, String> headers) throws Exception {
        LibraryLine line = new LibraryLine(uri, headers);
        line.client.connect();
        try {
            line.opened.get(10, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            Matcher status = STATUS.matcher(e.getCause().getMessage());
            if (status.find()) {
                throw new Line.Refused(Integer.parseInt(status.group(1)));
            }
            throw e;
        }
        return line;
    }

    private static final class LibraryLine extends Line {
        private final CompletableFuture<Void> opened = new CompletableFuture<>();
        private final WebSocketClient client;

        LibraryLine(URI uri, Map<String, String> headers) {
            Draft_6455 draft = new Draft_6455(List.of(), List.of(new Protocol("magpie.v1.json")));
            client = new WebSocketClient(uri, draft, headers) {
                @Override
                public void onOpen(ServerHandshake handshake) {
                    opened.complete(null);
                }

                @Override
                public void onMessage(String text) {
                    LibraryLine.this.onText(text);
                }

                @Override
                public void onWebsocketPong(org.java_websocket.WebSocket from, Framedata frame) {
                    LibraryLine.this.onPong(StandardCharsets.UTF_8.decode(frame.getPayloadData()).toString());
                }

                @Override
                public void onClose(int code, String reason, boolean remote) {
                    opened.completeExceptionally(new IllegalStateException(reason));
                    onEnd("closed with " + code + " " + reason);
                }

                @Override
                public void onError(Exception error) {
                    onEnd(error.toString());
                }
            };
        }

        @Override
        void send(String text) {
            client.send(text);
        }

        @Override
        void ping(byte[] payload) {
            PingFrame frame = new PingFrame();
            frame.setPayload(ByteBuffer.wrap(payload));
            client.sendFrame(frame);
        }

        @Override
        public void close() {
            client.close();
        }
    }
}
