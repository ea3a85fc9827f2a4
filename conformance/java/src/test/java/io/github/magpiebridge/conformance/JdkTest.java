package io.github.magpiebridge.conformance;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.net.http.WebSocketHandshakeException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import org.junit.jupiter.api.DisplayName;

/** The client of the JDK. */
@DisplayName("java.net.http")
final class JdkTest extends Conformance {
    JdkTest() {
        super(JdkTest::open);
    }

    private static Line open(URI uri, Map<String, String> headers) throws Exception {
        JdkLine line = new JdkLine();
        WebSocket.Builder builder = HttpClient.newHttpClient().newWebSocketBuilder()
                .connectTimeout(Duration.ofSeconds(10))
                .subprotocols("magpie.v1.json");
        headers.forEach(builder::header);
        try {
            line.socket = builder.buildAsync(uri, line).join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof WebSocketHandshakeException refused) {
                throw new Line.Refused(refused.getResponse().statusCode());
            }
            throw e;
        }
        return line;
    }

    private static final class JdkLine extends Line implements WebSocket.Listener {
        private final StringBuilder parts = new StringBuilder(); // for the listener's thread alone
        private WebSocket socket; // set once, before the line is used

        @Override
        void send(String text) {
            socket.sendText(text, true).join();
        }

        @Override
        void ping(byte[] payload) {
            socket.sendPing(ByteBuffer.wrap(payload)).join();
        }

        @Override
        public void close() {
            if (!socket.isOutputClosed()) {
                socket.sendClose(WebSocket.NORMAL_CLOSURE, "").join();
            }
        }

        @Override
        public CompletionStage<?> onText(WebSocket from, CharSequence data, boolean last) {
            parts.append(data);
            if (last) {
                onText(parts.toString());
                parts.setLength(0);
            }
            from.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onPong(WebSocket from, ByteBuffer payload) {
            onPong(StandardCharsets.UTF_8.decode(payload).toString());
            from.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onClose(WebSocket from, int code, String reason) {
            onEnd("closed with " + code);
            return null;
        }

        @Override
        public void onError(WebSocket from, Throwable error) {
            onEnd(error.toString());
        }
    }
}
