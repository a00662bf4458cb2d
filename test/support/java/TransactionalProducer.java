import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** A Java producer with transactions, some aborted, in any compression. Prints "committed aborted" counts of messages. */
public class TransactionalProducer {
  public static void main(String[] args) throws Exception {
    String brokers = args[0], topic = args[1], compression = args[2];
    int transactions = Integer.parseInt(args[3]), messages = Integer.parseInt(args[4]), abortEvery = Integer.parseInt(args[5]);
    Properties settings = new Properties();
    settings.put("bootstrap.servers", brokers);
    settings.put("key.serializer", ByteArraySerializer.class.getName());
    settings.put("value.serializer", ByteArraySerializer.class.getName());
    settings.put("compression.type", compression);
    settings.put("linger.ms", "5");
    if (abortEvery > 0) settings.put("transactional.id", topic);
    int committed = 0, aborted = 0;
    try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(settings)) {
      if (abortEvery > 0) producer.initTransactions();
      for (int t = 0; t < transactions; t++) {
        boolean abort = abortEvery > 0 && t % 10 < abortEvery;
        if (abortEvery > 0) producer.beginTransaction();
        for (int m = 0; m < messages; m++) {
          String id = String.format("%08x-0000-4000-8000-%012x", abort ? 1 : 0, t * messages + m);
          String xml = "<library><book><record_id>" + id + "</record_id><title>" + (abort ? "aborted" : "committed")
              + "</title><author><name>N</name></author><publication_year>2010</publication_year></book></library>";
          producer.send(new ProducerRecord<>(topic, m % 4, id.getBytes(), xml.getBytes()));
        }
        producer.flush();
        if (abort) { producer.abortTransaction(); aborted += messages; }
        else { if (abortEvery > 0) producer.commitTransaction(); committed += messages; }
      }
    }
    System.out.println(committed + " " + aborted);
  }
}
