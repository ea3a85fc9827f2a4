package io.github.magpiebridge.conformance;

import java.io.IOException;
import java.net.URI;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** One WebSocket line, whichever library carries it. Libraries call the {@code on} methods on threads of their own. */
abstract class Line implements AutoCloseable {
    private static final long PATIENCE_SECONDS = 10;

    /** Opens lines with one library. */
    interface Opener {
        Line open(URI uri, Map<String, String> headers) throws Exception;
    }

    /** The handshake was answered otherwise than 101. */
    static final class Refused extends Exception {
        private static final long serialVersionUID = 1;
        final int status;

        Refused(int status) {
            super("the handshake was answered " + status);
            this.status = status;
        }
    }

    /** The line is gone. */
    static final class Ended extends Exception {
        private static final long serialVersionUID = 1;

        Ended(String why) {
            super(why);
        }
    }

    /** A text, or with a null text the end and its reason. */
    private record Received(String text, String end) {}

    private final BlockingQueue<Received> received = new LinkedBlockingQueue<>();
    private final BlockingQueue<String> pongs = new LinkedBlockingQueue<>();

    abstract void send(String text) throws Exception;

    abstract void ping(byte[] payload) throws Exception;

    @Override
    public abstract void close() throws IOException;

    final void onText(String text) {
        received.add(new Received(text, null));
    }

    final void onPong(String payload) {
        pongs.add(payload);
    }

    final void onEnd(String why) {
        received.add(new Received(null, why));
    }

    final String receive() throws Ended, InterruptedException {
        Received next = received.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
        if (next == null) {
            throw new AssertionError("nothing came within " + PATIENCE_SECONDS + " s");
        }
        if (next.text == null) {
            received.add(next); // it stays ended
            throw new Ended(next.end);
        }
        return next.text;
    }

    final String pong() throws InterruptedException {
        return pongs.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }
}
