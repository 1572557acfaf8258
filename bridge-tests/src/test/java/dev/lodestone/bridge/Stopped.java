package dev.lodestone.bridge;

import com.sun.jdi.Bootstrap;
import com.sun.jdi.IncompatibleThreadStateException;
import com.sun.jdi.LongValue;
import com.sun.jdi.ReferenceType;
import com.sun.jdi.StackFrame;
import com.sun.jdi.ThreadReference;
import com.sun.jdi.Value;
import com.sun.jdi.VirtualMachine;
import com.sun.jdi.connect.Connector.Argument;
import com.sun.jdi.connect.ListeningConnector;
import com.sun.jdi.event.BreakpointEvent;
import com.sun.jdi.event.Event;
import com.sun.jdi.event.EventSet;
import com.sun.jdi.request.BreakpointRequest;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * A JVM that produces over attach and that a debugger stopped at one place of the product's own code, to be killed there. All
 * steps before that place are done, that one and those behind it are not.
 */
final class Stopped implements AutoCloseable {
    /** Records of the batch in which it is stopped. */
    static final int BATCH = 2;
    private static final long LIMIT_MS = 180_000;
    private static final int STAGE_SHIFT = 62;
    private static final long STAGE_OWNED = 2;
    /** Words of payload written: all of the first record, some of the second. */
    private static final int HALF_WORDS = AttachedProducer.PAYLOAD_BYTES / Long.BYTES + 10;

    /** Where a claim in the ring is stopped, in the order of its steps. */
    enum Place {
        /** Its entry says what it is about to claim; the tail is where it was. */
        SAID("internal.Words", "replace"),
        /** The tail is moved; the entry still says that it is about to. */
        TAIL_MOVED("internal.Words", "release"),
        /** The entry says that the cells are its own; nothing is written. */
        OWNED("internal.CommandRing", "put"),
        /** One record and some of the next one are written. */
        HALF_WRITTEN("CommandBatch", "putLong"),
        /** All is written but the first header. */
        WRITTEN("internal.RingProducer", "publish"),
        /** Committed; the entry still says that the cells are its own. */
        COMMITTED("internal.Words", "release"),
        /** Committed; the engine was not woken. */
        NOT_RUNG("internal.Producer", "ringEngine");

        private final String holder;
        private final String method;

        Place(String holder, String method) {
            this.holder = "dev.lodestone." + holder;
            this.method = method;
        }

        /** Whether cells are claimed that nobody will commit. */
        boolean holdsCells() {
            return this != SAID && !isCommitted();
        }

        /** Whether the batch has to come. */
        boolean isCommitted() {
            return this == COMMITTED || this == NOT_RUNG;
        }

        /** Whether this is the call: the same method is called for other steps, too. */
        private boolean isReached(ThreadReference thread) throws IncompatibleThreadStateException {
            StackFrame frame = thread.frame(0);
            String caller = thread.frame(1).location().method().name();
            List<Value> arguments = frame.getArgumentValues();
            return switch (this) {
                case SAID -> caller.equals("claimCells");
                case TAIL_MOVED -> caller.equals("claimCells") && number(arguments) >>> STAGE_SHIFT == STAGE_OWNED;
                case COMMITTED -> caller.equals("publish") && number(arguments) == 0;
                case OWNED, HALF_WRITTEN, WRITTEN, NOT_RUNG -> true;
            };
        }

        private static long number(List<Value> arguments) {
            return ((LongValue) arguments.getLast()).value();
        }
    }

    private final Producing producing;
    private final VirtualMachine machine;

    private Stopped(Producing producing, VirtualMachine machine) {
        this.producing = producing;
        this.machine = machine;
    }

    /** Starts a JVM and returns when it stands still at the place. */
    static Stopped start(Path region, int node, Path folder, Place place) throws Exception {
        ListeningConnector connector = Bootstrap.virtualMachineManager().listeningConnectors().stream()
                .filter(one -> one.transport().name().equals("dt_socket")).findFirst().orElseThrow();
        Map<String, Argument> settings = connector.defaultArguments();
        settings.get("localAddress").setValue("127.0.0.1");
        settings.get("timeout").setValue(Long.toString(LIMIT_MS));
        String address = connector.startListening(settings);
        Producing producing = null;
        try {
            producing = Producing.start(region, "step", node, folder,
                    "-agentlib:jdwp=transport=dt_socket,server=n,suspend=y,address=" + address);
            VirtualMachine machine = connector.accept(settings);
            // The one event that comes unasked: it stands still at its very beginning.
            machine.eventQueue().remove().resume();
            producing.says("here");
            stopAt(machine, place);
            producing.goOn();
            awaitPlace(machine, place);
            return new Stopped(producing, machine);
        } catch (Exception | Error failed) {
            if (producing != null) {
                producing.close();
            }
            throw failed;
        } finally {
            connector.stopListening(settings);
        }
    }

    /** Only now, when it waits before its claim, so that nothing before it counts. */
    private static void stopAt(VirtualMachine machine, Place place) {
        ReferenceType holder = machine.classesByName(place.holder).getFirst();
        BreakpointRequest request = machine.eventRequestManager()
                .createBreakpointRequest(holder.methodsByName(place.method).getFirst().location());
        if (place == Place.HALF_WRITTEN) {
            request.addCountFilter(HALF_WORDS);
        }
        request.enable();
    }

    private static void awaitPlace(VirtualMachine machine, Place place) throws Exception {
        long begun = System.nanoTime();
        while (true) {
            EventSet events = machine.eventQueue().remove(LIMIT_MS);
            if (events == null || System.nanoTime() - begun > LIMIT_MS * 1_000_000) {
                throw new AssertionError("it does not come to " + place);
            }
            for (Event event : events) {
                if (event instanceof BreakpointEvent hit && place.isReached(hit.thread())) {
                    // It stays suspended, all threads of it.
                    return;
                }
            }
            events.resume();
        }
    }

    /** Kills it where it stands. */
    void kill() {
        producing.kill();
    }

    @Override
    public void close() {
        producing.close();
        try {
            machine.dispose();
        } catch (com.sun.jdi.VMDisconnectedException gone) {
            // As it should be.
            return;
        }
    }
}
