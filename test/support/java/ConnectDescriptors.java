import java.lang.reflect.Method;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** Prints the messages and methods that a Spark Connect server knows, one field a line, from the descriptors in its own jar. */
public class ConnectDescriptors {
  public static void main(String[] arguments) throws Exception {
    Set<String> seen = new LinkedHashSet<>();
    file(Class.forName("org.apache.spark.connect.proto.Base").getMethod("getDescriptor").invoke(null), seen);
  }

  static Object call(Object target, String name) throws Exception {
    Method method = target.getClass().getMethod(name);
    method.setAccessible(true);
    return method.invoke(target);
  }

  static void file(Object descriptor, Set<String> seen) throws Exception {
    if (!seen.add((String) call(descriptor, "getName"))) return;
    for (Object dependency : (List<?>) call(descriptor, "getDependencies")) file(dependency, seen);
    for (Object message : (List<?>) call(descriptor, "getMessageTypes")) message(message);
    for (Object each : (List<?>) call(descriptor, "getEnumTypes")) values(each);
    for (Object service : (List<?>) call(descriptor, "getServices"))
      for (Object method : (List<?>) call(service, "getMethods"))
        System.out.println("rpc " + call(method, "getFullName") + " " + call(call(method, "getInputType"), "getFullName") + " " + call(call(method, "getOutputType"), "getFullName") + " " + call(method, "isServerStreaming"));
  }

  static void message(Object message) throws Exception {
    for (Object field : (List<?>) call(message, "getFields")) {
      String type = call(field, "getType").toString().toLowerCase();
      String named = type.equals("message") ? (String) call(call(field, "getMessageType"), "getFullName") : type.equals("enum") ? (String) call(call(field, "getEnumType"), "getFullName") : type;
      System.out.println("field " + call(message, "getFullName") + " " + call(field, "getName") + " " + call(field, "getNumber") + " " + named + " " + call(field, "isRepeated"));
    }
    for (Object each : (List<?>) call(message, "getEnumTypes")) values(each);
    for (Object nested : (List<?>) call(message, "getNestedTypes")) message(nested);
  }

  static void values(Object each) throws Exception {
    for (Object value : (List<?>) call(each, "getValues")) System.out.println("value " + call(each, "getFullName") + " " + call(value, "getName") + " " + call(value, "getNumber"));
  }
}
