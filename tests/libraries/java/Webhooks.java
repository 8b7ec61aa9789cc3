// Has the official Java library judge webhooks: `java -cp JARS Webhooks.java KEY SECRET FILE`.
//
// Each line of the file is the key and the signature of a request, and its body in base64; one word is printed for each.

import com.pusher.rest.Pusher;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;

public class Webhooks {
    public static void main(String[] arguments) throws Exception {
        Pusher pusher = new Pusher("1", arguments[0], arguments[1]);
        for (String line : Files.readAllLines(Path.of(arguments[2]))) {
            String[] words = line.split(" ");
            String body = new String(Base64.getDecoder().decode(words[2]), StandardCharsets.UTF_8);
            System.out.println(pusher.validateWebhookSignature(words[0], words[1], body));
        }
        System.exit(0);
    }
}
