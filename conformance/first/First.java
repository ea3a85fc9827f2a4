import java.net.URI;
import java.net.http.*;
import java.util.concurrent.*;

public class First {
    public static void main(String[] args) throws Exception {
        var line = HttpClient.newHttpClient().newWebSocketBuilder().buildAsync(URI.create("ws://127.0.0.1:8080/ws"), new WebSocket.Listener() {
            public CompletionStage<?> onText(WebSocket from, CharSequence part, boolean last) {
                System.out.print(last ? part + "\n" : part);
                return WebSocket.Listener.super.onText(from, part, last);
            }
        }).join();
        line.sendText("{\"type\":\"subscribe\",\"requestId\":\"1\",\"channel\":\"chat.lobby\"}", true);
        Thread.currentThread().join();
    }
}
