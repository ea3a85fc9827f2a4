package io.github.magpiebridge.peers;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import io.github.magpiebridge.protocol.v1.CallRequest;
import io.github.magpiebridge.protocol.v1.GatewayServiceGrpc;
import io.github.magpiebridge.protocol.v1.GatewayServiceGrpc.GatewayServiceBlockingStub;
import io.github.magpiebridge.protocol.v1.HistoryRequest;
import io.github.magpiebridge.protocol.v1.NodeRequest;
import io.github.magpiebridge.protocol.v1.PublishRequest;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.StatusRuntimeException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;

/**
 * Calls the server API by gRPC, without TLS, as its input tells: {@code ID METHOD REQUEST} on a line each, the request in
 * Protobuf's own JSON. It prints {@code response ID RESPONSE}, likewise, or {@code status ID CODE: DESCRIPTION}.
 */
public final class ServerApi {
    private static final JsonFormat.Printer JSON = JsonFormat.printer().omittingInsignificantWhitespace();
    private static final long DEADLINE_SECONDS = 20;

    private ServerApi() {}

    public static void main(String[] args) throws IOException {
        ManagedChannel channel = ManagedChannelBuilder.forTarget(args[0]).usePlaintext().build();
        var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var output = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] words = line.split(" ", 3);
            try {
                var stub = GatewayServiceGrpc.newBlockingStub(channel).withDeadlineAfter(DEADLINE_SECONDS, TimeUnit.SECONDS);
                output.println("response " + words[0] + " " + JSON.print(call(stub, words[1], words[2])));
            } catch (StatusRuntimeException e) {
                output.println("status " + words[0] + " " + e.getMessage());
            }
        }
        channel.shutdownNow();
    }

    private static Message call(GatewayServiceBlockingStub stub, String method, String request) throws InvalidProtocolBufferException {
        return switch (method) {
            case "Publish" -> stub.publish(read(request, PublishRequest.newBuilder()).build());
            case "History" -> stub.history(read(request, HistoryRequest.newBuilder()).build());
            case "Node" -> stub.node(read(request, NodeRequest.newBuilder()).build());
            case "Call" -> stub.call(read(request, CallRequest.newBuilder()).build());
            default -> throw new IllegalArgumentException("no such method: " + method);
        };
    }

    private static <B extends Message.Builder> B read(String json, B request) throws InvalidProtocolBufferException {
        JsonFormat.parser().merge(json, request);
        return request;
    }
}
