package io.github.magpiebridge.conformance;

import jakarta.websocket.ClientEndpointConfig;
import jakarta.websocket.CloseReason;
import jakarta.websocket.DeploymentException;
import jakarta.websocket.Endpoint;
import jakarta.websocket.EndpointConfig;
import jakarta.websocket.MessageHandler;
import jakarta.websocket.PongMessage;
import jakarta.websocket.Session;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.glassfish.tyrus.client.ClientManager;
import org.glassfish.tyrus.client.auth.AuthenticationException;
import org.glassfish.tyrus.core.HandshakeException;
import org.junit.jupiter.api.DisplayName;

/** Tyrus, the reference implementation of Jakarta WebSocket. */
@DisplayName("Tyrus")
final class TyrusTest extends Conformance {
    TyrusTest() {
        super(TyrusTest::open);
    }

    private static Line open(URI uri, Map<String, String> headers) throws Exception {
        ClientEndpointConfig.Configurator configurator = new ClientEndpointConfig.Configurator() {
            @Override
            public void beforeRequest(Map<String, List<String>> request) {
                headers.forEach((name, value) -> request.put(name, List.of(value)));
            }
        };
        ClientEndpointConfig config = ClientEndpointConfig.Builder.create()
                .preferredSubprotocols(List.of("magpie.v1.json"))
                .configurator(configurator)
                .build();
        TyrusLine line = new TyrusLine();
        try {
            line.session = ClientManager.createClient().connectToServer(line.endpoint(), config, uri);
        } catch (DeploymentException e) {
            for (Throwable cause = e; cause != null; cause = cause.getCause()) {
                if (cause instanceof HandshakeException refused) {
                    throw new Line.Refused(refused.getHttpStatusCode());
                }
                if (cause instanceof AuthenticationException) {
                    throw new Line.Refused(401);
                }
            }
            throw e;
        }
        return line;
    }

    private static final class TyrusLine extends Line {
        private Session session; // set once, before the line is used

        Endpoint endpoint() {
            return new Endpoint() {
                @Override
                public void onOpen(Session opened, EndpointConfig config) {
                    opened.addMessageHandler(String.class, (MessageHandler.Whole<String>) TyrusLine.this::onText);
                    opened.addMessageHandler(PongMessage.class, (MessageHandler.Whole<PongMessage>) pong ->
                            onPong(StandardCharsets.UTF_8.decode(pong.getApplicationData()).toString()));
                }

                @Override
                public void onClose(Session closed, CloseReason reason) {
                    onEnd("closed with " + reason.getCloseCode().getCode());
                }

                @Override
                public void onError(Session failed, Throwable error) {
                    onEnd(error.toString());
                }
            };
        }

        @Override
        void send(String text) throws IOException {
            session.getBasicRemote().sendText(text);
        }

        @Override
        void ping(byte[] payload) throws IOException {
            session.getBasicRemote().sendPing(ByteBuffer.wrap(payload));
        }

        @Override
        public void close() throws IOException {
            if (session.isOpen()) {
                session.close();
            }
        }
    }
}
