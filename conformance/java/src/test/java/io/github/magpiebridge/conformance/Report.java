package io.github.magpiebridge.conformance;

import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.TestWatcher;

/** Prints a line for each check, as conformance/run reads them. */
final class Report implements TestWatcher, AfterAllCallback {
    private int passed;
    private int failed;

    @Override
    public void testSuccessful(ExtensionContext context) {
        passed++;
        System.out.println("ok " + client(context) + " " + context.getDisplayName());
    }

    @Override
    public void testFailed(ExtensionContext context, Throwable cause) {
        failed++;
        String why = cause.toString().replace('\n', ' ');
        System.out.println("failed " + client(context) + " " + context.getDisplayName() + ": " + why);
    }

    @Override
    public void afterAll(ExtensionContext context) {
        System.out.println(context.getDisplayName() + ": " + (passed + failed) + " checks, " + passed + " passed");
    }

    private static String client(ExtensionContext context) {
        return context.getParent().orElseThrow().getDisplayName();
    }
}
