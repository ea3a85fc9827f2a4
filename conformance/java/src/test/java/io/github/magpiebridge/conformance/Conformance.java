package io.github.magpiebridge.conformance;

import static io.github.magpiebridge.conformance.Client.json;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** The checks that every client passes; conformance/README.md tells what each is about. */
@Timeout(60)
@ExtendWith(Report.class)
abstract class Conformance {
    private static final int FLOOD = 2000;
    private static final int BATCH = 50;
    private static final int LEAST_BREAKS = 3;

    private final Line.Opener opener;

    Conformance(Line.Opener opener) {
        this.opener = opener;
    }

    private static String variable(String name) {
        String value = System.getenv(name);
        if (value == null) {
            throw new IllegalStateException(name + " is not set: start the suite with conformance/run");
        }
        return value;
    }

    private Client connect() throws Exception {
        return Client.connect(opener, variable("MAGPIE_URL"), Map.of());
    }

    private Client connectWith(String token) throws Exception {
        return Client.connect(opener, variable("MAGPIE_SECURE_URL"), Map.of("Authorization", "Bearer " + token));
    }

    private String channel(String check) {
        return "conformance." + getClass().getSimpleName() + "." + check;
    }

    private static JsonNode subscribe(Client client, String channel, ObjectNode from) throws Exception {
        ObjectNode frame = json("{'type':'subscribe'}").put("channel", channel);
        if (from != null) {
            frame.set("from", from);
        }
        JsonNode answer = client.request(frame);
        assertEquals("subscribed", answer.path("type").asText(), answer.toString());
        return answer;
    }

    private static JsonNode publish(Client client, String channel, String fields) throws Exception {
        JsonNode answer = client.request(json("{'type':'publish'," + fields + "}").put("channel", channel));
        assertEquals("published", answer.path("type").asText(), answer.toString());
        return answer;
    }

    private static ObjectNode position(String epoch, long offset) throws Exception {
        return json("{}").put("epoch", epoch).put("offset", offset);
    }

    private static String errorCode(JsonNode frame) {
        return frame.path("type").asText() + " " + frame.path("error").path("code").asText();
    }

    @Test
    @DisplayName("connect")
    void connects() throws Exception {
        Line line = opener.open(URI.create(variable("MAGPIE_URL")), Map.of());
        line.send("{\"type\":\"connect\",\"requestId\":\"hello\"}");
        JsonNode connected = json(line.receive());
        assertEquals("connected", connected.path("type").asText());
        assertEquals("hello", connected.path("requestId").asText());
        assertEquals("dev", connected.path("userId").asText());
        assertFalse(connected.path("sessionId").asText().isEmpty());
        line.close();
        Line.Ended ended = assertThrows(Line.Ended.class, line::receive);
        assertTrue(ended.getMessage().contains("1000"), ended.getMessage());
    }

    @Test
    @DisplayName("publish")
    void receivesWhatAnotherPublishes() throws Exception {
        try (Client reader = connect(); Client writer = connect()) {
            String channel = channel("publish");
            JsonNode subscribed = subscribe(reader, channel, null);
            JsonNode published = publish(writer, channel, "'messageId':'m1','tags':{'a':'b'},'data':{'n':1}");
            assertEquals(subscribed.at("/position/offset").asLong() + 1, published.at("/position/offset").asLong());
            JsonNode message = reader.receive();
            assertEquals("message", message.path("type").asText());
            assertEquals(channel, message.path("channel").asText());
            assertEquals(published.at("/position/offset").asLong(), message.path("offset").asLong());
            assertEquals("m1", message.path("messageId").asText());
            assertEquals("dev", message.path("publisher").asText());
            assertEquals("{\"a\":\"b\"}", message.path("tags").toString());
            assertEquals("{\"n\":1}", message.path("data").toString());
            JsonNode again = publish(writer, channel, "'messageId':'m1','data':{'n':1}");
            assertTrue(again.path("duplicate").asBoolean());
            assertEquals(published.path("position"), again.path("position"));
        }
    }

    @Test
    @DisplayName("payloads")
    void carriesTextJsonAndBytes() throws Exception {
        try (Client reader = connect(); Client writer = connect()) {
            String channel = channel("payloads");
            subscribe(reader, channel, null);
            publish(writer, channel, "'data':{'a':[1,null,'é']}");
            assertEquals("{\"a\":[1,null,\"é\"]}", reader.receive().path("data").toString());
            publish(writer, channel, "'text':'line 1\\nline 2 𝄞'");
            assertEquals("line 1\nline 2 𝄞", reader.receive().path("text").asText());
            publish(writer, channel, "'base64':'AP/+AA=='");
            assertEquals("AP/+AA==", reader.receive().path("base64").asText());
        }
    }

    @Test
    @DisplayName("call")
    void echoes() throws Exception {
        try (Client client = connect()) {
            JsonNode reply = client.request("{'type':'call','method':'magpie.echo','data':{'x':[1,2]}}");
            assertEquals("reply", reply.path("type").asText());
            assertEquals("{\"x\":[1,2]}", reply.path("data").toString());
            JsonNode refused = client.request("{'type':'call','method':'nobody.serves.this'}");
            assertEquals("error not_found", errorCode(refused));
        }
    }

    @Test
    @DisplayName("ping")
    void answersPings() throws Exception {
        try (Client client = connect()) {
            client.line.ping("are you there?".getBytes(StandardCharsets.UTF_8));
            assertEquals("are you there?", client.line.pong());
            client.line.send("ping");
            assertEquals("pong", client.line.receive());
            assertEquals("pong", client.request("{'type':'ping'}").path("type").asText());
        }
    }

    @Test
    @DisplayName("recovery")
    void recoversFromItsOwnPosition() throws Exception {
        String channel = channel("recovery");
        ObjectNode from;
        try (Client client = connect()) {
            from = (ObjectNode) subscribe(client, channel, null).path("position");
        }
        Thread flood = new Thread(() -> flood(channel));
        flood.start();
        int lines = 0;
        for (int seen = 0; seen < FLOOD; lines++) {
            try (Client reader = Client.connect(opener, variable("MAGPIE_FLAKY_URL"), Map.of())) {
                assertTrue(subscribe(reader, channel, from).path("recovered").asBoolean());
                while (seen < FLOOD) {
                    JsonNode message = reader.receive();
                    assertEquals("message", message.path("type").asText());
                    assertEquals(from.path("offset").asLong() + 1, message.path("offset").asLong());
                    assertEquals(seen, message.at("/data/n").asInt());
                    from.put("offset", message.path("offset").asLong());
                    seen++;
                }
            } catch (Line.Ended broken) {
                continue; // it is flaky; the position says where to go on
            }
        }
        flood.join();
        assertTrue(lines > LEAST_BREAKS, "the line broke too seldom to show anything: " + lines + " lines");
    }

    private void flood(String channel) {
        try (Client writer = connect()) {
            for (int n = 0; n < FLOOD; n += BATCH) {
                ObjectNode frame = json("{'type':'publish'}").put("channel", channel);
                ArrayNode messages = frame.putArray("messages");
                for (int i = 0; i < BATCH; i++) {
                    messages.addObject().putObject("data").put("n", n + i).put("padding", "x".repeat(100));
                }
                writer.request(frame);
            }
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    @Test
    @DisplayName("gap")
    void isToldOfAGap() throws Exception {
        try (Client client = connect()) {
            String channel = channel("gap");
            JsonNode published = publish(client, channel, "'data':'kept'");
            String epoch = published.at("/position/epoch").asText();
            JsonNode subscribed = subscribe(client, channel, position("another", 7));
            assertFalse(subscribed.path("recovered").asBoolean());
            assertEquals(epoch, subscribed.at("/position/epoch").asText());
            JsonNode gap = client.receive();
            assertEquals("gap epoch", gap.path("type").asText() + " " + gap.path("reason").asText());
            assertEquals(epoch, gap.path("epoch").asText());
            assertEquals("kept", client.receive().path("data").asText());
        }
    }

    @Test
    @DisplayName("error")
    void isToldWhatIsWrong() throws Exception {
        try (Client client = connect()) {
            assertEquals("error invalid_argument", errorCode(client.request("{'type':'subscribe','channel':'a..b'}")));
            client.line.send("nonsense");
            assertEquals("error invalid_argument", errorCode(client.receive()));
            assertEquals("pong", client.request("{'type':'ping'}").path("type").asText());
        }
    }

    @Test
    @DisplayName("token")
    void isLetInWithAToken() throws Exception {
        try (Client client = connectWith(variable("MAGPIE_JWT"))) {
            publish(client, "conformance.token", "'data':1");
            JsonNode refused = client.request("{'type':'publish','channel':'forbidden','data':1}");
            assertEquals("error permission_denied", errorCode(refused));
        }
        try (Client client = connectWith(variable("MAGPIE_API_KEY"))) {
            publish(client, "conformance.token", "'data':1");
        }
    }

    @Test
    @DisplayName("bad-token")
    void isRefusedWithABadToken() {
        String wrong = variable("MAGPIE_JWT") + "x";
        assertEquals(401, assertThrows(Line.Refused.class, () -> connectWith(wrong)).status);
        String unknown = "mgp_nobody_has_been_given_this_key";
        assertEquals(401, assertThrows(Line.Refused.class, () -> connectWith(unknown)).status);
    }
}
