package io.github.magpiebridge.conformance;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.URI;
import java.util.Map;

/** A client that speaks the protocol over one line, a step at a time. */
final class Client implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();

    final Line line;
    private int requests;

    private Client(Line line) {
        this.line = line;
    }

    static Client connect(Line.Opener opener, String address, Map<String, String> headers) throws Exception {
        Client client = new Client(opener.open(URI.create(address), headers));
        client.request("{'type':'connect'}");
        return client;
    }

    /** Reads JSON in which apostrophes stand for quotes. */
    static ObjectNode json(String text) throws Exception {
        return (ObjectNode) JSON.readTree(text.replace('\'', '"'));
    }

    /** Sends a frame with a requestId of its own, which is returned. */
    String send(ObjectNode frame) throws Exception {
        String id = String.valueOf(++requests);
        line.send(frame.put("requestId", id).toString());
        return id;
    }

    /** Sends a request and returns its answer, which has to be the next frame. */
    JsonNode request(ObjectNode frame) throws Exception {
        String id = send(frame);
        JsonNode answer = receive();
        if (!answer.path("requestId").asText().equals(id)) {
            throw new AssertionError("expected the answer to " + frame + ", got " + answer);
        }
        return answer;
    }

    JsonNode request(String frame) throws Exception {
        return request(json(frame));
    }

    JsonNode receive() throws Exception {
        return JSON.readTree(line.receive());
    }

    @Override
    public void close() throws IOException {
        line.close();
    }
}
