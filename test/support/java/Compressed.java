import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.util.Base64;
import net.jpountz.lz4.LZ4FrameOutputStream;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.utils.ByteBufferOutputStream;

/** Prints, in base64, what Kafka's own compressors and those below them make of so many lines of text. */
public class Compressed {
  public static void main(String[] args) throws Exception {
    int lines = Integer.parseInt(args[0]);
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < lines; i++) text.append("line ").append(i * 2654435761L % 4294967296L).append(" of many\n");
    byte[] body = text.toString().getBytes("UTF-8");
    for (String name : new String[] {"gzip", "snappy", "lz4", "zstd"}) {
      ByteBufferOutputStream out = new ByteBufferOutputStream(1 << 20);
      try (OutputStream packed = Compression.of(CompressionType.forName(name)).build().wrapForOutput(out, (byte) 2)) {
        packed.write(body);
      }
      ByteBuffer bytes = out.buffer();
      bytes.flip();
      byte[] all = new byte[bytes.remaining()];
      bytes.get(all);
      print(name, all);
    }
    for (LZ4FrameOutputStream.BLOCKSIZE size : LZ4FrameOutputStream.BLOCKSIZE.values()) {
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      try (OutputStream packed = new LZ4FrameOutputStream(out, size, body.length, LZ4FrameOutputStream.FLG.Bits.BLOCK_INDEPENDENCE,
          LZ4FrameOutputStream.FLG.Bits.BLOCK_CHECKSUM, LZ4FrameOutputStream.FLG.Bits.CONTENT_CHECKSUM, LZ4FrameOutputStream.FLG.Bits.CONTENT_SIZE)) {
        packed.write(body);
      }
      print("lz4", out.toByteArray());
    }
  }

  private static void print(String name, byte[] bytes) {
    System.out.println(name + " " + Base64.getEncoder().encodeToString(bytes));
  }
}
