// Publishes as docs/clients.md shows it.

import com.pusher.rest.Pusher;

public class Publish {
    public static void main(String[] arguments) {
        String id = "ID", key = "KEY", secret = "SECRET";
        Pusher pusher = new Pusher(id, key, secret);
        pusher.setHost("localhost:6001");
        pusher.setEncrypted(false);
        System.out.println(pusher.trigger("shown", "event", "hello").getHttpStatus());
        System.exit(0);
    }
}
