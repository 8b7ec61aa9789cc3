// Subscribes as docs/clients.md shows it, says so, prints the first event, and ends.

import com.pusher.client.Pusher;
import com.pusher.client.PusherOptions;
import com.pusher.client.channel.ChannelEventListener;
import com.pusher.client.channel.PusherEvent;
import java.util.concurrent.CountDownLatch;

public class Subscribe {
    public static void main(String[] arguments) throws InterruptedException {
        CountDownLatch heard = new CountDownLatch(1);
        PusherOptions options = new PusherOptions().setHost("localhost").setWsPort(6001).setUseTLS(false);
        Pusher pusher = new Pusher("KEY", options);
        pusher.connect();
        ChannelEventListener listener = new ChannelEventListener() {
            @Override
            public void onSubscriptionSucceeded(String channel) {
                System.out.println("subscribed");
            }

            @Override
            public void onEvent(PusherEvent event) {
                System.out.println(event.getData());
                heard.countDown();
            }
        };
        pusher.subscribe("shown", listener, "event");
        // The threads of the library do not keep the program running.
        heard.await();
        System.exit(0);
    }
}
