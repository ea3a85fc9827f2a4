import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.stream.Collectors;

/**
 * The Java one of the three programs; main.go tells what they do. It has nothing but the JDK.
 *
 * <p>Frames and commands come on different threads; whoever handles one holds the peer's monitor.
 */
public final class Peer implements WebSocket.Listener {
    private static final int PARTS = 40; // of *.count: more than the credit that a call begins with
    private static final int CREDIT = 16; // that a call begins with
    private static final int GRANT = 8; // a caller allows as many more whenever it was sent so many

    /** Where a call comes from that this peer made. */
    private static final class Origin {
        final String id; // that it was given with its command or, relayed, by its first caller
        final String relay; // the requestId of the call that it is made for, or null
        int parts; // that came

        Origin(String id, String relay) {
            this.id = id;
            this.relay = relay;
        }
    }

    /** A call in hand. */
    private static final class Task {
        final String id;
        String relayed; // the requestId of the call made for it
        boolean countable;
        int sent; // parts
        int credit; // for more
        int given; // credit, by the caller

        Task(String id) {
            this.id = id;
        }
    }

    private final String name;
    private final PrintStream told = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    private final StringBuilder incoming = new StringBuilder();
    private final Map<String, Origin> asked = new HashMap<>(); // by requestId: calls that this peer made
    private final Map<String, Task> serving = new HashMap<>(); // by requestId: calls that it has in hand
    private CompletableFuture<WebSocket> sending; // done when the line can be written to
    private int requests;

    private Peer(String name) {
        this.name = name;
    }

    public static void main(String[] args) throws Exception {
        Peer peer = new Peer(args[0]);
        synchronized (peer) {
            peer.sending = HttpClient.newHttpClient().newWebSocketBuilder().buildAsync(URI.create(args[1]), peer);
            peer.send("connect", null, "device", peer.name);
        }
        var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            peer.command(line.strip());
        }
        System.exit(0); // the line's threads would go on
    }

    @Override
    public synchronized CompletionStage<?> onText(WebSocket from, CharSequence part, boolean last) {
        incoming.append(part);
        if (last) {
            String raw = incoming.toString();
            incoming.setLength(0);
            try {
                frame(raw, object(Json.parse(raw)));
            } catch (RuntimeException e) {
                tell("other", "-", e + ": " + raw);
            }
        }
        from.request(1);
        return null;
    }

    @Override
    public CompletionStage<?> onClose(WebSocket from, int code, String reason) {
        System.err.println("closed with " + code + " " + reason);
        System.exit(1);
        return null;
    }

    @Override
    public void onError(WebSocket from, Throwable failure) {
        System.err.println("the line broke: " + failure);
        System.exit(1);
    }

    private void tell(String word, String name, String raw) {
        told.println(word + " " + name + " " + raw);
    }

    /** Sends a frame. One is sent after the other, without waiting here. */
    private void send(Map<String, Object> frame) {
        frame.values().removeIf(value -> value == null);
        String text = Json.write(frame);
        sending = sending.thenCompose(line -> line.sendText(text, true)).whenComplete((line, failure) -> {
            if (failure != null) {
                onError(line, failure);
            }
        });
    }

    /** Sends a frame of that type; fields are names and values in turn. */
    private void send(String type, String requestId, Object... fields) {
        var frame = new LinkedHashMap<String, Object>();
        frame.put("type", type);
        frame.put("requestId", requestId);
        for (int i = 0; i < fields.length; i += 2) {
            frame.put((String) fields[i], fields[i + 1]);
        }
        send(frame);
    }

    private String request() {
        return String.valueOf(++requests);
    }

    private synchronized void command(String line) {
        String[] words = line.split(" ", 3);
        switch (words[0]) {
            case "send" -> {
                Map<String, Object> frame = object(Json.parse(line.substring("send ".length())));
                frame.put("requestId", request());
                send(frame);
            }
            case "call" -> call(new Origin(words[1], null), object(Json.parse(words[2])));
            case "cancel" -> asked.forEach((requestId, origin) -> {
                if (origin.id.equals(words[1]) && origin.relay == null) {
                    send("cancel", requestId);
                }
            });
            default -> tell("other", "-", "no such command: " + line);
        }
    }

    /** Makes a call, and returns its requestId. */
    private String call(Origin origin, Map<String, Object> frame) {
        String requestId = request();
        asked.put(requestId, origin);
        frame.putAll(Map.of("type", "call", "requestId", requestId, "meta", Map.of("id", origin.id)));
        send(frame);
        return requestId;
    }

    private void frame(String raw, Map<String, Object> frame) {
        String type = (String) frame.get("type");
        String requestId = (String) frame.get("requestId");
        Origin origin = asked.get(requestId);
        Task task = serving.get(requestId);
        if (type.equals("connected")) {
            tell("connected", name, raw);
        } else if (type.equals("served") || type.equals("unserved") || type.equals("subscribed")) {
            tell(type, (String) frame.getOrDefault("method", frame.get("channel")), raw);
        } else if (type.equals("call")) {
            String id = (String) object(frame.get("meta")).get("id");
            tell("called", id, raw);
            serve(requestId, new Task(id), frame);
        } else if (type.equals("cancel") && task != null) {
            tell("canceled", task.id, raw);
            drop(requestId, task);
        } else if (type.equals("credit") && task != null) {
            int count = ((Number) frame.get("count")).intValue();
            task.credit += count;
            task.given += count;
            count(requestId, task);
        } else if (type.equals("progress") && origin != null) {
            part(requestId, origin, raw);
        } else if ((type.equals("reply") || type.equals("error")) && origin != null) {
            asked.remove(requestId);
            outcome(type, origin, raw, frame);
        } else if (!type.equals("cancel") && !type.equals("credit")) { // those are of a call that was answered meanwhile
            tell("other", "-", raw);
        }
    }

    /** Allows more parts of a call's result. */
    private void part(String requestId, Origin origin, String raw) {
        tell("part", origin.id, raw);
        origin.parts++;
        if (origin.parts % GRANT == 0) {
            send("credit", requestId, "count", GRANT);
        }
    }

    /** Tells what came of a call, or hands it to whom it was made for. */
    private void outcome(String type, Origin origin, String raw, Map<String, Object> frame) {
        if (origin.relay == null) {
            tell("outcome", origin.id, raw);
        } else if (serving.remove(origin.relay) != null) { // somebody still waits for it
            send(type, origin.relay, "meta", frame.get("meta"), "data", frame.get("data"), "error", frame.get("error"));
        }
    }

    /** Begins a call of a method of this peer. */
    private void serve(String requestId, Task task, Map<String, Object> frame) {
        serving.put(requestId, task);
        String method = (String) frame.get("method");
        Object data = frame.get("data");
        switch (method.substring(method.lastIndexOf('.') + 1)) {
            case "reply" -> answer("reply", requestId, "meta", frame.get("meta"), "data", Map.of("from", name, "got", data));
            case "wait" -> { }
            case "count" -> {
                task.countable = true;
                task.credit = CREDIT;
                count(requestId, task);
            }
            case "fail" -> answer("error", requestId, "error",
                    Map.of("code", "failed_precondition", "message", "not by " + name, "details", Map.of("from", name)));
            case "relay" -> {
                Map<String, Object> next = object(data);
                next.put("timeoutMs", frame.get("timeoutMs"));
                task.relayed = call(new Origin(task.id, requestId), next);
            }
            default -> answer("error", requestId, "error", Map.of("code", "unimplemented", "message", "no such method"));
        }
    }

    /** Ends a call in hand. */
    private void answer(String type, String requestId, Object... fields) {
        serving.remove(requestId);
        send(type, requestId, fields);
    }

    /** Sends as many parts as there is credit for and, after the last, the reply. */
    private void count(String requestId, Task task) {
        if (!task.countable) {
            return;
        }
        for (; task.credit > 0 && task.sent < PARTS; task.credit--) {
            send("progress", requestId, "data", task.sent);
            task.sent++;
        }
        if (task.sent == PARTS) {
            answer("reply", requestId, "data", Map.of("credit", task.given));
        }
    }

    /** Forgets a call that nobody waits for any more, and gives up the call that was made for it. */
    private void drop(String requestId, Task task) {
        serving.remove(requestId);
        if (asked.containsKey(task.relayed)) {
            send("cancel", task.relayed);
        }
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> object(Object value) {
        return (Map<String, Object>) value;
    }

    /** As much JSON as the frames need: objects are maps, arrays lists, whole numbers Long, others Double. */
    private static final class Json {
        private final String text;
        private int at;

        private Json(String text) {
            this.text = text;
        }

        static Object parse(String text) {
            Json json = new Json(text);
            Object value = json.value();
            if (json.next() != 0) {
                throw json.unexpected();
            }
            return value;
        }

        /** The next character that is no white space, or 0 at the end; it is not taken. */
        private char next() {
            while (at < text.length() && Character.isWhitespace(text.charAt(at))) {
                at++;
            }
            return at < text.length() ? text.charAt(at) : 0;
        }

        private boolean take(char wanted) {
            if (next() != wanted) {
                return false;
            }
            at++;
            return true;
        }

        private void expect(char wanted) {
            if (!take(wanted)) {
                throw unexpected();
            }
        }

        private IllegalArgumentException unexpected() {
            return new IllegalArgumentException("no JSON at " + at + " of " + text);
        }

        private Object value() {
            char first = next();
            if (first == '"') {
                return string();
            }
            if (first != '{' && first != '[') {
                return word();
            }
            at++;
            var object = new LinkedHashMap<String, Object>();
            List<Object> array = new ArrayList<>();
            for (boolean more = !take(first == '{' ? '}' : ']'); more; more = more()) {
                if (first == '[') {
                    array.add(value());
                    continue;
                }
                String key = string();
                expect(':');
                object.put(key, value());
            }
            return first == '{' ? object : array;
        }

        /** After a value of an object or an array: whether another follows. */
        private boolean more() {
            if (take(',')) {
                return true;
            }
            if (next() != '}' && next() != ']') {
                throw unexpected();
            }
            at++;
            return false;
        }

        private String string() {
            expect('"'); // which takes white space before it, too
            var string = new StringBuilder();
            for (; text.charAt(at) != '"'; at++) {
                char c = text.charAt(at);
                if (c == '\\') {
                    at++;
                    c = text.charAt(at);
                    int plain = "bfnrt".indexOf(c);
                    if (plain >= 0) {
                        c = "\b\f\n\r\t".charAt(plain);
                    } else if (c == 'u') {
                        c = (char) Integer.parseInt(text.substring(at + 1, at + 5), 16);
                        at += 4;
                    }
                }
                string.append(c);
            }
            at++;
            return string.toString();
        }

        private Object word() {
            int start = at;
            while (at < text.length() && ",]} \t\r\n".indexOf(text.charAt(at)) < 0) {
                at++;
            }
            String word = text.substring(start, at);
            return switch (word) {
                case "null" -> null;
                case "true", "false" -> Boolean.valueOf(word);
                default -> word.matches("-?\\d{1,18}") ? (Object) Long.valueOf(word) : Double.valueOf(word);
            };
        }

        static String write(Object value) {
            if (value instanceof Map<?, ?> object) {
                return object.entrySet().stream().map(entry -> write(entry.getKey()) + ":" + write(entry.getValue()))
                        .collect(Collectors.joining(",", "{", "}"));
            }
            if (value instanceof List<?> array) {
                return array.stream().map(Json::write).collect(Collectors.joining(",", "[", "]"));
            }
            if (value instanceof String string) {
                return string.chars().mapToObj(c -> c < ' ' || c == '"' || c == '\\' ? String.format("\\u%04x", c) : String.valueOf((char) c))
                        .collect(Collectors.joining("", "\"", "\""));
            }
            return String.valueOf(value); // null, a number, a boolean
        }
    }
}
